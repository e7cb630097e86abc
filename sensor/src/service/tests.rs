//! Command lines as the real start scripts make them.

mod recorded;

use super::*;
use crate::event::{Args, Faults};

fn image(path: &str) -> Image {
    Image {
        path: path.into(),
        ..Image::default()
    }
}

fn java(line: &str) -> Program {
    Program {
        image: image("/usr/lib/jvm/java-17-openjdk-amd64/bin/java"),
        args: Args {
            head: line.split(' ').map(Into::into).collect(),
            ..Args::default()
        },
        ..Program::default()
    }
}

fn is_server(program: &Program) -> bool {
    let catalogue = Catalogue::new(&["com.acme.*".into(), "shop.jar".into()]);
    matches!(catalogue.decide(program), Verdict::Server(identity) if identity.kind == ServiceKind::Java)
}

#[test]
fn file_names_lead_to_kinds() {
    for (path, kind) in [
        ("/usr/sbin/nginx", Some(ServiceKind::Nginx)),
        (
            "/usr/local/openresty/nginx/sbin/openresty",
            Some(ServiceKind::Nginx),
        ),
        ("/usr/sbin/nginx-debug", Some(ServiceKind::Nginx)),
        ("/usr/sbin/apache2", Some(ServiceKind::Apache)),
        ("/usr/local/apache2/bin/httpd", Some(ServiceKind::Apache)),
        ("/usr/sbin/php-fpm8.2", Some(ServiceKind::PhpFpm)),
        ("/opt/jdk/bin/java", Some(ServiceKind::Java)),
        ("/opt/jdk/bin/javac", None),
        ("/usr/bin/nginx-prometheus-exporter-of-some-length", None),
        ("/usr/sbin/nginx_exporter", None),
        ("/usr/bin/php8.2", None),
        ("", None),
    ] {
        assert_eq!(kind_of(&image(path)), kind, "{path}");
    }
    let upgraded = Image {
        unlinked: true,
        ..image("/usr/sbin/nginx (deleted)")
    };
    assert_eq!(kind_of(&upgraded), Some(ServiceKind::Nginx));
}

#[test]
fn every_name_fits_the_kernel_map_and_is_its_own_stem() {
    let candidates = SERVERS.iter().flat_map(|server| server.candidates);
    let all: Vec<_> = stems()
        .map(|(name, _)| name)
        .chain(candidates.copied())
        .collect();
    for name in &all {
        assert!(name.len() < NAME, "{name}");
        assert_eq!(stem(name.as_bytes()), Some(key(name)), "{name}");
    }
    let distinct: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(distinct.len(), all.len());
    assert!(all.len() < NAME_ENTRIES as usize / 2);
}

#[test]
fn the_table_has_every_kind_once() {
    let kinds: Vec<_> = SERVERS.iter().map(|server| server.kind).collect();
    assert_eq!(kinds, ServiceKind::ALL);
}

#[test]
fn java_servers_are_told_by_their_command_line() {
    for line in [
        // catalina.sh run
        "/usr/lib/jvm/default-java/bin/java -Djava.util.logging.config.file=/opt/tomcat/conf/logging.properties \
         -Djava.util.logging.manager=org.apache.juli.ClassLoaderLogManager -Djdk.tls.ephemeralDHKeySize=2048 \
         --add-opens=java.base/java.lang=ALL-UNNAMED -classpath /opt/tomcat/bin/bootstrap.jar:/opt/tomcat/bin/tomcat-juli.jar \
         -Dcatalina.home=/opt/tomcat -Djava.io.tmpdir=/opt/tomcat/temp org.apache.catalina.startup.Bootstrap start",
        "java -Dcatalina.base=/srv/app com.example.Wrapper",
        "java -jar /opt/jetty-home/start.jar jetty.http.port=8080",
        "java -Djetty.base=/var/lib/jetty -cp /x.jar my.Launcher",
        "java -cp app.jar org.springframework.boot.loader.JarLauncher",
        "java -cp app.jar org.springframework.boot.loader.launch.JarLauncher",
        "java -Xmx512m -jar /srv/shop-1.2.jar --server.port=8081",
        "java -Dserver.port=9000 -jar /srv/any.jar",
        "java -D[Standalone] -server -Xms64m --add-exports java.desktop/sun.awt=ALL-UNNAMED \
         -Djboss.modules.system.pkgs=org.jboss.byteman -jar /opt/wildfly/jboss-modules.jar -mp /opt/wildfly/modules \
         org.jboss.as.standalone",
        "java -Djava.awt.headless=true -jar /usr/share/java/jenkins.war --webroot=/var/cache/jenkins/war --httpPort=8080",
        "java -jar -Xmx1g quarkus-run.jar",
        "java -jar /opt/activemq/bin/activemq.jar start",
        "java -jar jetty-runner-9.4.44.v20210927.jar app.war",
        "java -p /opt/es/lib -m org.elasticsearch.server/org.elasticsearch.bootstrap.Elasticsearch",
        "java --module-path /x --module=org.x/io.helidon.Main",
        "java @/etc/app/jvm.options",
        "java @/etc/app/jvm.options -cp x Hello",
        "java -cp x com.acme.shop.Main",
        "java -jar /opt/shop.jar",
    ] {
        assert!(is_server(&java(line)), "{line}");
    }
}

#[test]
fn other_javas_are_no_servers() {
    for line in [
        "java",
        "java -version",
        "java --version",
        "java -XshowSettings:properties -version",
        "java -cp . Hello",
        "java -classpath org.apache.catalina.startup.Bootstrap Hello",
        "java -cp /opt/tomcat/bin/bootstrap.jar Tool org.apache.catalina.startup.Bootstrap",
        "java Hello.java",
        "java --source 21 Tool",
        // mvn
        "/usr/lib/jvm/default-java/bin/java -classpath /usr/share/maven/boot/plexus-classworlds-2.x.jar \
         -Dclassworlds.conf=/usr/share/maven/bin/m2.conf -Dmaven.home=/usr/share/maven \
         org.codehaus.plexus.classworlds.launcher.Launcher package",
        // gradle daemon
        "java -XX:MaxMetaspaceSize=384m --add-opens java.base/java.util=ALL-UNNAMED -Xmx512m -Dfile.encoding=UTF-8 \
         -cp /home/u/.gradle/wrapper/dists/gradle-8.5-bin/lib/gradle-launcher-8.5.jar \
         org.gradle.launcher.daemon.bootstrap.GradleDaemon 8.5",
        "java -jar app.jar",
        "java -jar starter.jar",
        "java -jar jenkins-cli.jar -s http://localhost list-jobs",
        "java -cp x com.sun.tools.javac.Main A.java",
    ] {
        assert!(!is_server(&java(line)), "{line}");
    }
}

#[test]
fn a_command_line_that_shows_neither_counts_as_a_server() {
    let cut = |line: &str| {
        let mut program = java(line);
        program.args.truncated = true;
        program
    };
    assert!(is_server(&cut("java -Xmx1g -classpath /a:/b:/c")));
    assert!(is_server(&cut("java -classpath /a Hel")));
    assert!(!is_server(&cut("java -classpath /a Hello some arguments")));
    let mut unread = java("");
    unread.args.head.clear();
    assert!(is_server(&unread));
    unread.args.head = vec!["java".into()];
    unread.faults = Faults(sensor_common::record::fault::ARGS);
    assert!(is_server(&unread));
}

#[test]
fn units_come_from_the_innermost_service_directory() {
    for (path, unit_name) in [
        ("/system.slice/nginx.service", "nginx.service"),
        (
            "/system.slice/php8.2-fpm.service/pool",
            "php8.2-fpm.service",
        ),
        (
            "/user.slice/user-1000.slice/user@1000.service/app.slice/web.service",
            "web.service",
        ),
        (
            "/kubepods.slice/kubepods-pod1.slice/cri-containerd-1.scope",
            "",
        ),
        ("/.service", ""),
        ("/", ""),
        ("", ""),
    ] {
        assert_eq!(unit(path.as_bytes()), unit_name, "{path}");
    }
}

#[test]
fn roles_and_workers() {
    assert_eq!(role(ServiceKind::Nginx), Role::Edge);
    assert_eq!(role(ServiceKind::PhpFpm), Role::App);
    assert!(has_workers(ServiceKind::Apache));
    assert!(!has_workers(ServiceKind::Java));
}

#[test]
fn a_name_the_kernel_knows_and_we_do_not_is_no_server() {
    let catalogue = Catalogue::default();
    let program = Program {
        image: image("/bin/sh"),
        ..Program::default()
    };
    assert_eq!(catalogue.decide(&program), Verdict::NotServer);
    assert_eq!(
        catalogue.decide(&Program::default()),
        Verdict::Server(ServiceKind::Unknown.into())
    );
}
