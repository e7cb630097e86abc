//! A reader for the kernel's BTF: member offsets and tracepoint arity.
//!
//! aya keeps its own parser to itself and no other crate under a licence we can ship
//! reads BTF, so these are the few parts the programs need. Pure and total: BTF is
//! untrusted input, every index is checked.
//!
//! Format: <https://docs.kernel.org/bpf/btf.html>.

use std::collections::HashMap;

use thiserror::Error;

/// BTF could not be understood.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum BtfError {
    /// Not BTF, or of the other byte order.
    #[error("not BTF of this machine's byte order")]
    Magic,
    /// An offset or length points outside the data.
    #[error("BTF is truncated or corrupt")]
    Truncated,
    /// A kind this reader does not know: the length of what follows is unknown.
    #[error("BTF has a type of unknown kind {0}")]
    Kind(u32),
}

const MAGIC: u16 = 0xeb9f;
/// Nested anonymous members looked into; the kernel nests three deep.
const MAX_DEPTH: u32 = 8;
/// Modifiers followed before a type is given up as circular.
const MAX_MODIFIERS: u32 = 32;

/// Kinds, from `include/uapi/linux/btf.h`.
mod kind {
    pub(super) const INT: u32 = 1;
    pub(super) const PTR: u32 = 2;
    pub(super) const ARRAY: u32 = 3;
    pub(super) const STRUCT: u32 = 4;
    pub(super) const UNION: u32 = 5;
    pub(super) const ENUM: u32 = 6;
    pub(super) const FWD: u32 = 7;
    pub(super) const TYPEDEF: u32 = 8;
    pub(super) const VOLATILE: u32 = 9;
    pub(super) const CONST: u32 = 10;
    pub(super) const RESTRICT: u32 = 11;
    pub(super) const FUNC: u32 = 12;
    pub(super) const FUNC_PROTO: u32 = 13;
    pub(super) const VAR: u32 = 14;
    pub(super) const DATASEC: u32 = 15;
    pub(super) const FLOAT: u32 = 16;
    pub(super) const DECL_TAG: u32 = 17;
    pub(super) const TYPE_TAG: u32 = 18;
    pub(super) const ENUM64: u32 = 19;
}

/// Index of the types of one BTF blob.
#[derive(Debug)]
pub struct Btf<'a> {
    data: &'a [u8],
    strings: usize,
    /// Offset of each type, by id; id 0 is `void`.
    types: Vec<usize>,
    structs: HashMap<&'a [u8], u32>,
    typedefs: HashMap<&'a [u8], u32>,
}

/// Fixed part of a type: `struct btf_type`.
#[derive(Clone, Copy)]
struct Type {
    at: usize,
    name: u32,
    kind: u32,
    vlen: usize,
    /// `kind_flag`: member offsets carry a bit-field size in their top byte.
    flag: bool,
    /// Size, or id of the type referred to.
    target: u32,
}

impl<'a> Btf<'a> {
    /// Indexes the structs, unions and typedefs of `data`.
    ///
    /// # Errors
    /// When `data` is no well-formed BTF.
    pub fn parse(data: &'a [u8]) -> Result<Self, BtfError> {
        let magic = data.first_chunk::<2>().copied().map(u16::from_ne_bytes);
        if magic != Some(MAGIC) {
            return Err(BtfError::Magic);
        }
        let header = word(data, 4)? as usize;
        let types_at = add(header, word(data, 8)? as usize)?;
        let types_end = add(types_at, word(data, 12)? as usize)?;
        let strings = add(header, word(data, 16)? as usize)?;
        let mut btf = Self {
            data,
            strings,
            types: vec![0],
            structs: HashMap::new(),
            typedefs: HashMap::new(),
        };
        let mut at = types_at;
        while at < types_end {
            at = btf.index(at)?;
        }
        Ok(btf)
    }

    /// Notes the type at `at`; returns where the next begins.
    fn index(&mut self, at: usize) -> Result<usize, BtfError> {
        let ty = self.type_at(at)?;
        let id = u32::try_from(self.types.len()).map_err(|_too_many| BtfError::Truncated)?;
        self.types.push(at);
        let extra = match ty.kind {
            kind::INT | kind::VAR | kind::DECL_TAG => 4,
            kind::ARRAY => 12,
            kind::STRUCT | kind::UNION | kind::DATASEC | kind::ENUM64 => ty.vlen * 12,
            kind::ENUM | kind::FUNC_PROTO => ty.vlen * 8,
            kind::PTR
            | kind::FWD
            | kind::TYPEDEF
            | kind::VOLATILE
            | kind::CONST
            | kind::RESTRICT
            | kind::FUNC
            | kind::FLOAT
            | kind::TYPE_TAG => 0,
            other => return Err(BtfError::Kind(other)),
        };
        match ty.kind {
            kind::STRUCT | kind::UNION => {
                self.structs.entry(self.string(ty.name)?).or_insert(id);
            }
            kind::TYPEDEF => {
                self.typedefs.entry(self.string(ty.name)?).or_insert(id);
            }
            _ => {}
        }
        add(at, 12 + extra)
    }

    /// Byte offset of `member` (alternatives separated by `|`) in `structure`, also
    /// when it sits in an anonymous member. `None` when the kernel lacks it.
    #[must_use]
    pub fn member_offset(&self, structure: &str, member: &str) -> Option<u64> {
        let id = *self.structs.get(structure.as_bytes())?;
        member
            .split('|')
            .find_map(|name| self.find(id, name.as_bytes(), MAX_DEPTH))
    }

    /// Number of arguments of the tracepoint `name`.
    #[must_use]
    pub fn tracepoint_args(&self, name: &str) -> Option<usize> {
        let id = *self.typedefs.get(format!("btf_trace_{name}").as_bytes())?;
        let pointer = self.resolve(id)?;
        let prototype = self.resolve(pointer.target)?;
        // typedef void (*btf_trace_x)(void *, ...): the first is the hook's own.
        (prototype.kind == kind::FUNC_PROTO).then(|| prototype.vlen.saturating_sub(1))
    }

    /// `true` when the kernel has a function of this name.
    #[must_use]
    pub fn has_function(&self, name: &str) -> bool {
        // Asked once or twice: not worth an index of 50,000 names.
        let types = self.types.iter().skip(1);
        types
            .filter_map(|&at| self.type_at(at).ok())
            .filter(|ty| ty.kind == kind::FUNC)
            .any(|ty| self.string(ty.name) == Ok(name.as_bytes()))
    }

    fn find(&self, id: u32, name: &[u8], depth: u32) -> Option<u64> {
        let ty = self.type_of(id)?;
        for index in 0..ty.vlen {
            let at = ty.at + 12 + index * 12;
            let member = self.string(word(self.data, at).ok()?).ok()?;
            let mut bits = word(self.data, at + 8).ok()?;
            if ty.flag {
                bits &= 0x00ff_ffff;
            }
            let offset = u64::from(bits / 8);
            if member == name {
                return Some(offset);
            }
            if member.is_empty() && depth > 0 {
                let inner = word(self.data, at + 4).ok()?;
                if let Some(id) = self.aggregate(inner)
                    && let Some(found) = self.find(id, name, depth - 1)
                {
                    return Some(offset + found);
                }
            }
        }
        None
    }

    /// Id of the struct or union behind modifiers of `id`.
    fn aggregate(&self, id: u32) -> Option<u32> {
        let mut id = id;
        for _ in 0..MAX_MODIFIERS {
            let ty = self.type_of(id)?;
            match ty.kind {
                kind::STRUCT | kind::UNION => return Some(id),
                _ if is_modifier(ty.kind) => id = ty.target,
                _ => return None,
            }
        }
        None
    }

    /// The type behind modifiers and typedefs of `id`.
    fn resolve(&self, id: u32) -> Option<Type> {
        let mut ty = self.type_of(id)?;
        for _ in 0..MAX_MODIFIERS {
            if !is_modifier(ty.kind) {
                return Some(ty);
            }
            ty = self.type_of(ty.target)?;
        }
        None
    }

    fn type_of(&self, id: u32) -> Option<Type> {
        let at = *self.types.get(id as usize).filter(|_| id != 0)?;
        self.type_at(at).ok()
    }

    fn type_at(&self, at: usize) -> Result<Type, BtfError> {
        let info = word(self.data, add(at, 4)?)?;
        Ok(Type {
            at,
            name: word(self.data, at)?,
            kind: (info >> 24) & 0x1f,
            vlen: (info & 0xffff) as usize,
            flag: info >> 31 != 0,
            target: word(self.data, add(at, 8)?)?,
        })
    }

    fn string(&self, offset: u32) -> Result<&'a [u8], BtfError> {
        let start = add(self.strings, offset as usize)?;
        let rest = self.data.get(start..).ok_or(BtfError::Truncated)?;
        let end = rest
            .iter()
            .position(|&byte| byte == 0)
            .ok_or(BtfError::Truncated)?;
        rest.get(..end).ok_or(BtfError::Truncated)
    }
}

const fn is_modifier(kind: u32) -> bool {
    matches!(
        kind,
        kind::TYPEDEF | kind::VOLATILE | kind::CONST | kind::RESTRICT | kind::TYPE_TAG
    )
}

fn add(a: usize, b: usize) -> Result<usize, BtfError> {
    a.checked_add(b).ok_or(BtfError::Truncated)
}

fn word(data: &[u8], at: usize) -> Result<u32, BtfError> {
    let bytes = data.get(at..).and_then(<[u8]>::first_chunk::<4>);
    bytes
        .copied()
        .map(u32::from_ne_bytes)
        .ok_or(BtfError::Truncated)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `struct outer { int a; struct { int b; }; const struct named c; }` and
    /// `typedef void (*btf_trace_t)(void *, int)`, by hand.
    fn sample() -> Vec<u8> {
        let strings = b"\0int\0outer\0a\0b\0c\0named\0btf_trace_t\0";
        let at = |name: &str| {
            let needle = format!("{name}\0");
            strings
                .windows(needle.len())
                .position(|w| w == needle.as_bytes())
                .map(|at| u32::try_from(at).unwrap())
                .unwrap()
        };
        let info = |kind: u32, vlen: u32| kind << 24 | vlen;
        let mut types: Vec<u32> = Vec::new();
        types.extend([at("int"), info(kind::INT, 0), 4, 32]); // 1
        types.extend([0, info(kind::STRUCT, 1), 4, at("b"), 1, 0]); // 2, anonymous
        types.extend([at("named"), info(kind::STRUCT, 1), 4, at("b"), 1, 0]); // 3
        types.extend([0, info(kind::CONST, 0), 3]); // 4
        types.extend([at("outer"), info(kind::STRUCT, 3), 12]); // 5
        types.extend([at("a"), 1, 0, 0, 2, 32, at("c"), 4, 64]);
        types.extend([0, info(kind::FUNC_PROTO, 2), 0, 0, 1, 0, 1]); // 6
        types.extend([0, info(kind::PTR, 0), 6]); // 7
        types.extend([at("btf_trace_t"), info(kind::TYPEDEF, 0), 7]); // 8
        let len = u32::try_from(types.len() * 4).unwrap();
        let mut data = Vec::new();
        data.extend(MAGIC.to_ne_bytes());
        data.extend([1, 0]);
        for value in [24, 0, len, len, u32::try_from(strings.len()).unwrap()] {
            data.extend(value.to_ne_bytes());
        }
        for value in &types {
            data.extend(value.to_ne_bytes());
        }
        data.extend_from_slice(strings);
        data
    }

    #[test]
    fn members_are_found_through_anonymous_structs_and_by_alternative_name() {
        let data = sample();
        let btf = Btf::parse(&data).unwrap();
        assert_eq!(btf.member_offset("outer", "a"), Some(0));
        assert_eq!(btf.member_offset("outer", "b"), Some(4));
        assert_eq!(btf.member_offset("outer", "gone|c"), Some(8));
        assert_eq!(btf.member_offset("outer", "gone"), None);
        assert_eq!(btf.member_offset("nothing", "a"), None);
        assert_eq!(btf.tracepoint_args("t"), Some(1));
        assert_eq!(btf.tracepoint_args("u"), None);
    }

    #[test]
    fn the_running_kernels_btf_has_every_required_member() {
        let Ok(data) = std::fs::read("/sys/kernel/btf/vmlinux") else {
            println!("SKIP the_running_kernels_btf_has_every_required_member: no kernel BTF");
            return;
        };
        let btf = Btf::parse(&data).unwrap();
        for spec in sensor_common::offset::Offsets::SPECS
            .iter()
            .filter(|spec| spec.required)
        {
            assert!(
                btf.member_offset(spec.structure, spec.member).is_some(),
                "{}",
                spec.name
            );
        }
        assert_eq!(btf.tracepoint_args("sched_process_fork"), Some(2));
    }

    proptest! {
        #[test]
        fn damaged_btf_never_panics(index in 0_usize..400, byte: u8, cut in 0_usize..400) {
            let mut data = sample();
            let len = data.len();
            data[index % len] = byte;
            data.truncate(len - cut % len);
            if let Ok(btf) = Btf::parse(&data) {
                prop_assert!(btf.member_offset("outer", "b").is_none_or(|at| at < 1 << 40));
                prop_assert!(btf.tracepoint_args("t").is_none_or(|args| args <= 0xffff));
            }
        }
    }
}
