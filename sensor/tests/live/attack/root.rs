//! A site whose directory has no telling name: that it is a web root is known from what
//! php-fpm has read there.

use std::{fs, os::unix::fs::PermissionsExt as _};

use crate::fixture::{
    nginx::Nginx,
    scene,
    site::{page, php_string, visit},
    stage::{Kind, Stage, assert_is},
};

#[test]
fn a_script_beside_those_that_are_served_is_seen() {
    let Some(mut stage) = Stage::begin("attack::root::neutral", &[]) else {
        return;
    };
    let shop = tempfile::Builder::new().prefix("shop-").tempdir_in("/srv");
    let shop = shop.expect("make a directory");
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(shop.path(), mode).expect("open a directory");
    let place = stage.scene.path().join("second");
    fs::create_dir(&place).expect("make a directory");
    let nginx = Nginx::start(&place, shop.path(), &stage.site.php.socket);

    let write = |name: &str| {
        let to = shop.path().join(name);
        let directory = to.parent().expect("a file has a directory");
        fs::create_dir_all(directory).expect("make a directory");
        scene::give_to_www_data(directory);
        let target = php_string(to.as_os_str().as_encoded_bytes());
        page(
            &shop.path().join("pages/put.php"),
            &format!("file_put_contents({target}, 'x');"),
        );
        let visit = visit(nginx.port, "pages/put.php");
        assert_eq!((visit.output.as_str(), to.exists()), ("", true));
        (visit.worker, to.display().to_string())
    };
    page(&shop.path().join("index.php"), "echo 'shop';");
    assert_eq!(visit(nginx.port, "index.php").output, "shop");
    stage.is_silent();

    // What a framework compiles, and no browser asks for.
    write("var/cache/prod/Foo.php");
    stage.is_silent();

    let (worker, path) = write("gallery/2026/x.php");
    let alert = stage.saw("script_created_in_web_root", |alert| {
        alert.json["file"]["path"] == *path
    });
    alert.assert_lineage(&[stage.site.master(), stage.site.worker(worker)]);
    assert_is(&alert, Kind::app("php-fpm"));
    stage.only(|other| other.json["file"]["path"] == *path);
    stage.end();
}
