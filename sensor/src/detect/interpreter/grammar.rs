//! How interpreters and shells read their options.

/// How the options of one interpreter are to be read.
pub(super) struct Grammar {
    /// Stems of its executables.
    pub(super) names: &'static [&'static str],
    /// Letters after which code follows.
    pub(super) code: &'static [u8],
    /// Letters that take a value: the rest of the cluster, or the next argument.
    pub(super) valued: &'static [u8],
    /// Letters that take the rest of their cluster, if there is any.
    pub(super) glued: &'static [u8],
    /// Letters that name a script.
    pub(super) script: &'static [u8],
    /// Letters after which neither code nor a script follows: a module, a version.
    pub(super) other: &'static [u8],
    /// Long options with code.
    pub(super) long_code: &'static [&'static [u8]],
    /// Long options with a value.
    pub(super) long_valued: &'static [&'static [u8]],
}

const NONE: Grammar = Grammar {
    names: &[],
    code: b"",
    valued: b"",
    glued: b"",
    script: b"",
    other: b"",
    long_code: &[],
    long_valued: &[],
};

pub(super) const GRAMMARS: &[Grammar] = &[
    Grammar {
        names: &["python", "pypy"],
        code: b"c",
        valued: b"WXQ",
        other: b"mhV",
        long_valued: &[b"--check-hash-based-pycs"],
        ..NONE
    },
    Grammar {
        names: &["perl"],
        code: b"eE",
        valued: b"I",
        glued: b"MmiFxCDdV0l",
        other: b"hv",
        ..NONE
    },
    Grammar {
        names: &["php"],
        code: b"rRBE",
        valued: b"cdgzSt",
        script: b"fF",
        other: b"hvim",
        long_code: &[
            b"--run",
            b"--process-begin",
            b"--process-code",
            b"--process-end",
        ],
        long_valued: &[
            b"--php-ini",
            b"--define",
            b"--zend-extension",
            b"--server",
            b"--docroot",
        ],
        ..NONE
    },
    Grammar {
        names: &["ruby"],
        code: b"e",
        valued: b"IrCE",
        glued: b"FKiTWx0",
        other: b"hv",
        long_valued: &[b"--encoding", b"--external-encoding"],
        ..NONE
    },
    Grammar {
        names: &["node", "nodejs", "bun"],
        code: b"ep",
        valued: b"rC",
        other: b"hv",
        long_code: &[b"--eval", b"--print"],
        long_valued: &[
            b"--require",
            b"--import",
            b"--loader",
            b"--conditions",
            b"--env-file",
        ],
        ..NONE
    },
    Grammar {
        names: &["lua", "luajit"],
        code: b"e",
        valued: b"l",
        glued: b"bjO",
        other: b"v",
        ..NONE
    },
    Grammar {
        names: &["expect"],
        code: b"c",
        script: b"fb",
        ..NONE
    },
    Grammar {
        names: &["java"],
        long_valued: &[b"--class-path", b"--module-path", b"--add-modules"],
        ..NONE
    },
];

/// Shells: `-c` is a command, which rules see as text, and no script.
pub(super) const SHELL: Grammar = Grammar {
    code: b"c",
    valued: b"oO",
    other: b"s",
    long_valued: &[b"--rcfile", b"--init-file"],
    ..NONE
};
