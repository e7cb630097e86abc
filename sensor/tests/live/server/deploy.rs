//! Administrators put new versions into a web root: git, rsync, dpkg. Silent.

use std::{fs, path::Path, process::Command};

use crate::fixture::{
    daemon::command,
    process::succeed,
    scene::{self, Need},
    stage::Stage,
};

const TOOLS: &[Need] = &[|| scene::program("git"), || scene::program("rsync")];

#[test]
fn deploys_of_administrators_are_silent() {
    let Some(stage) = Stage::begin("server::deploy", TOOLS) else {
        return;
    };
    let origin = stage.scene.path().join("origin");
    let public = stage.scene.path().join("www/public");
    scene::write(&origin.join("shop.php"), "<?php echo 1;");
    scene::write(&origin.join(".htaccess"), "Options -Indexes\n");
    commit(&origin);
    let mut clone = git(stage.scene.path());
    succeed(clone.args(["clone", "-q"]).arg(&origin).arg(&public));
    scene::write(&origin.join("cart.php"), "<?php echo 2;");
    commit(&origin);
    succeed(git(&public).args(["pull", "-q", "--ff-only"]));
    assert!(public.join("cart.php").exists());

    let mut rsync = command("rsync", stage.scene.path());
    rsync.args(["-a", "--delete", "--exclude=.git"]);
    rsync.arg(format!("{}/", origin.display()));
    succeed(rsync.arg(public.join("copy")));
    assert!(public.join("copy/cart.php").exists());

    install_package(stage.scene.path(), &public);
    assert!(public.join("packaged/index.php").exists());
    stage.end();
}

fn git(dir: &Path) -> Command {
    let mut git = command("git", dir);
    git.args(["-c", "user.name=shop", "-c", "user.email=shop@localhost"]);
    git
}

fn commit(dir: &Path) {
    succeed(git(dir).args(["init", "-q"]));
    succeed(git(dir).args(["add", "."]));
    succeed(git(dir).args(["commit", "-q", "-m", "deploy"]));
}

/// dpkg with a database of its own.
fn install_package(dir: &Path, public: &Path) {
    let tree = dir.join("tree");
    let control = "Package: shop\nVersion: 1\nArchitecture: all\n\
                   Maintainer: shop <shop@localhost>\nDescription: pages\n";
    scene::write(&tree.join("DEBIAN/control"), control);
    let page = public.strip_prefix("/").expect("an absolute path");
    let page = tree.join(page).join("packaged/index.php");
    scene::write(&page, "<?php echo 3;");
    let package = dir.join("shop.deb");
    let mut build = command("dpkg-deb", dir);
    succeed(
        build
            .args(["--root-owner-group", "-b"])
            .arg(&tree)
            .arg(&package),
    );
    let database = dir.join("dpkg");
    for directory in ["info", "updates", "triggers"] {
        fs::create_dir_all(database.join(directory)).expect("make a directory");
    }
    scene::write(&database.join("status"), "");
    scene::write(&database.join("available"), "");
    let mut install = command("dpkg", dir);
    install.arg(format!("--admindir={}", database.display()));
    install
        .arg("--force-script-chrootless")
        .arg("--log=/dev/null");
    succeed(install.arg("-i").arg(package));
}
