//! Servers that cannot be had where the tests run: command lines as their start scripts
//! and images make them, or as documented. Recognition only; nothing here was seen live.

use super::*;
use crate::event::Source;

const JAVA: &str = "/usr/lib/jvm/java-17/bin/java";
const RUBY: &str = "/usr/bin/ruby3.1";
const PYTHON: &str = "/usr/bin/python3.11";
const NODE: &str = "/usr/bin/node";
const PERL: &str = "/usr/bin/perl5.36.0";

/// Executable, command line, kind, role.
const SERVERS: &[(&str, &str, ServiceKind, Role)] = {
    use Role::{App, Cgi, Ci, Db, Edge};
    use ServiceKind as Kind;
    &[
        // WildFly standalone.sh
        (
            JAVA,
            "java -D[Standalone] -server -Xms64m -Djava.net.preferIPv4Stack=true -Dorg.jboss.boot.log.file=/opt/wildfly/standalone/log/server.log -Dlogging.configuration=file:/opt/wildfly/standalone/configuration/logging.properties -jar /opt/wildfly/jboss-modules.jar -mp /opt/wildfly/modules org.jboss.as.standalone -Djboss.home.dir=/opt/wildfly -Djboss.server.base.dir=/opt/wildfly/standalone -b 0.0.0.0",
            Kind::Java,
            App,
        ),
        // WebLogic startWebLogic.sh
        (
            JAVA,
            "/u01/jdk/bin/java -server -Xms256m -cp /u01/wlserver/server/lib/weblogic-launcher.jar -Dlaunch.use.env.classpath=true -Dweblogic.Name=AdminServer -Djava.security.policy=/u01/wlserver/server/lib/weblogic.policy weblogic.Server",
            Kind::Java,
            App,
        ),
        // GlassFish, Payara
        (
            JAVA,
            "/usr/bin/java -cp /opt/glassfish7/glassfish/modules/glassfish.jar -Dcom.sun.aas.instanceRoot=/opt/glassfish7/glassfish/domains/domain1 com.sun.enterprise.glassfish.bootstrap.ASMain -domainname domain1",
            Kind::Java,
            App,
        ),
        (
            JAVA,
            "java -jar /opt/payara/payara-micro-6.2024.1.jar --deploy /app.war",
            Kind::Java,
            App,
        ),
        // WebSphere, Open Liberty
        (
            JAVA,
            "/opt/ibm/java/bin/java -Declipse.security -Dwas.status.socket=5 -classpath /opt/IBM/WebSphere/AppServer/properties com.ibm.ws.runtime.WsServer /opt/IBM cell node server1",
            Kind::Java,
            App,
        ),
        (
            JAVA,
            "java -javaagent:/opt/ol/wlp/bin/tools/ws-javaagent.jar -Djava.awt.headless=true -jar /opt/ol/wlp/bin/tools/ws-server.jar defaultServer",
            Kind::Java,
            App,
        ),
        // Resin, Jetty
        (
            JAVA,
            "java -Dresin.server=app-0 -cp /usr/local/resin/lib/resin.jar com.caucho.server.resin.Resin --root-directory /var/resin",
            Kind::Java,
            App,
        ),
        (
            JAVA,
            "java -Djetty.home=/opt/jetty -Djetty.base=/opt/base -jar /opt/jetty/start.jar",
            Kind::Java,
            App,
        ),
        // Jenkins, TeamCity, Gerrit, Bamboo
        (
            JAVA,
            "/usr/bin/java -Djava.awt.headless=true -jar /usr/share/java/jenkins.war --webroot=/var/cache/jenkins/war --httpPort=8080",
            Kind::Java,
            Ci,
        ),
        (
            JAVA,
            "java -Duser.home=/var/jenkins_home -Djenkins.model.Jenkins.slaveAgentPort=50000 -jar /usr/share/jenkins/jenkins.war",
            Kind::Java,
            Ci,
        ),
        (
            JAVA,
            "/opt/java/openjdk/bin/java -Djava.util.logging.config.file=/opt/teamcity/conf/logging.properties -Dteamcity.configuration.path=../conf/teamcity-startup.properties -Dteamcity_logs=/opt/teamcity/logs -Dcatalina.base=/opt/teamcity -classpath /opt/teamcity/bin/bootstrap.jar org.apache.catalina.startup.Bootstrap start",
            Kind::Java,
            Ci,
        ),
        (
            JAVA,
            "java -cp /opt/buildAgent/lib/agent.jar jetbrains.buildServer.agent.AgentMain -file /opt/buildAgent/conf/buildAgent.properties",
            Kind::Java,
            Ci,
        ),
        (
            JAVA,
            "java -Xmx4g -jar /var/gerrit/bin/gerrit.war daemon -d /var/gerrit",
            Kind::Java,
            Ci,
        ),
        (
            JAVA,
            "java -Dbamboo.home=/var/atlassian -Dcatalina.base=/opt/bamboo org.apache.catalina.startup.Bootstrap start",
            Kind::Java,
            Ci,
        ),
        // GitLab
        (
            "/opt/gitlab/embedded/bin/ruby",
            "ruby /opt/gitlab/embedded/bin/bundle exec puma --environment production --config /var/opt/gitlab/gitlab-rails/etc/puma.rb /opt/gitlab/embedded/service/gitlab-rails/config.ru",
            Kind::Puma,
            Ci,
        ),
        // Ruby
        (
            RUBY,
            "ruby /usr/local/bin/puma -C config/puma.rb",
            Kind::Puma,
            App,
        ),
        (
            RUBY,
            "/usr/bin/ruby3.1 /usr/bin/bundle exec puma -p 3000",
            Kind::Puma,
            App,
        ),
        (
            RUBY,
            "ruby -W0 /usr/bin/unicorn_rails -c config/unicorn.rb -D",
            Kind::Unicorn,
            App,
        ),
        (RUBY, "ruby bin/rails server -b 0.0.0.0", Kind::Ruby, App),
        (
            RUBY,
            "ruby -I lib /usr/bin/rackup config.ru",
            Kind::Ruby,
            App,
        ),
        (
            "/usr/lib/passenger/support-binaries/PassengerAgent",
            "Passenger core",
            Kind::Passenger,
            App,
        ),
        // Python
        (
            PYTHON,
            "/usr/bin/python3 /usr/bin/gunicorn --workers 3 app:app",
            Kind::Gunicorn,
            App,
        ),
        (
            PYTHON,
            "python3 -u -m gunicorn.app.wsgiapp app:app",
            Kind::Gunicorn,
            App,
        ),
        (
            PYTHON,
            "/venv/bin/python /venv/bin/uvicorn main:app --host 0.0.0.0",
            Kind::Uvicorn,
            App,
        ),
        (PYTHON, "python -Im hypercorn app:app", Kind::Hypercorn, App),
        (
            PYTHON,
            "python3 /usr/bin/daphne -b 0.0.0.0 project.asgi:application",
            Kind::Daphne,
            App,
        ),
        (
            PYTHON,
            "python3 -X dev /usr/bin/waitress-serve --port=80 app:app",
            Kind::Waitress,
            App,
        ),
        (PYTHON, "python3 -m http.server 8000", Kind::Python, App),
        (
            "/usr/bin/uwsgi-core",
            "uwsgi --ini app.ini",
            Kind::Uwsgi,
            App,
        ),
        // Perl, PHP
        (
            PERL,
            "/usr/bin/perl /usr/bin/starman --workers 4 app.psgi",
            Kind::Perl,
            App,
        ),
        (
            PERL,
            "perl -Ilib /usr/bin/plackup app.psgi",
            Kind::Perl,
            App,
        ),
        (
            "/usr/bin/php8.2",
            "php -d memory_limit=1G -S 0.0.0.0:80 -t public",
            Kind::Php,
            App,
        ),
        (
            "/usr/local/bin/frankenphp",
            "frankenphp run --config /etc/caddy/Caddyfile",
            Kind::Php,
            App,
        ),
        (
            "/usr/local/lsws/lsphp81/bin/lsphp",
            "lsphp",
            Kind::PhpCgi,
            App,
        ),
        (
            "/usr/bin/php-cgi8.2",
            "php-cgi -b 127.0.0.1:9000",
            Kind::PhpCgi,
            App,
        ),
        // Edge
        (
            "/usr/local/lsws/bin/lshttpd.5.12",
            "litespeed (lshttpd - main)",
            Kind::Litespeed,
            App,
        ),
        (
            "/usr/local/lsws/bin/openlitespeed",
            "openlitespeed (lshttpd - main)",
            Kind::Litespeed,
            App,
        ),
        (
            "/usr/sbin/unitd",
            "unit: main v1.32.1 [unitd --no-daemon]",
            Kind::Unit,
            App,
        ),
        (
            "/usr/bin/caddy",
            "caddy run --environ --config /etc/caddy/Caddyfile",
            Kind::Caddy,
            Edge,
        ),
        (
            "/usr/local/bin/traefik",
            "traefik traefik --providers.docker",
            Kind::Traefik,
            Edge,
        ),
        (
            "/usr/sbin/varnishd",
            "varnishd -a :6081 -f /etc/varnish/default.vcl",
            Kind::Varnish,
            Edge,
        ),
        (
            "/usr/local/bin/envoy",
            "envoy -c /etc/envoy/envoy.yaml",
            Kind::Envoy,
            Edge,
        ),
        (
            "/usr/sbin/haproxy",
            "haproxy -Ws -f /etc/haproxy/haproxy.cfg",
            Kind::Haproxy,
            Edge,
        ),
        (
            "/usr/sbin/lighttpd",
            "lighttpd -D -f /etc/lighttpd/lighttpd.conf",
            Kind::Lighttpd,
            Edge,
        ),
        ("/usr/sbin/fcgiwrap", "fcgiwrap -f", Kind::Fcgiwrap, Cgi),
        // Databases
        (
            "/usr/bin/mongod",
            "mongod --config /etc/mongod.conf",
            Kind::Mongodb,
            Db,
        ),
        ("/usr/sbin/mariadbd", "mariadbd", Kind::Mysql, Db),
        (
            "/usr/lib/postgresql/15/bin/postgres",
            "postgres -D /data",
            Kind::Postgres,
            Db,
        ),
        (
            "/usr/bin/redis-server",
            "redis-server *:6379",
            Kind::Redis,
            Db,
        ),
        (
            "/usr/bin/clickhouse",
            "clickhouse-server --config=/etc/x.xml",
            Kind::Clickhouse,
            Db,
        ),
        (
            "/opt/mssql/bin/sqlservr",
            "/opt/mssql/bin/sqlservr",
            Kind::Mssql,
            Db,
        ),
        (
            "/u01/app/oracle/bin/oracle",
            "oracleORCL (LOCAL=NO)",
            Kind::Oracle,
            Db,
        ),
        (
            "/usr/local/bin/gitea",
            "gitea web --config /etc/gitea/app.ini",
            Kind::Gitea,
            Ci,
        ),
    ]
};

fn program(path: &str, line: &str) -> Program {
    Program {
        image: image(path),
        args: Args {
            head: line.split(' ').map(Into::into).collect(),
            ..Args::default()
        },
        ..Program::default()
    }
}

#[test]
fn recorded_servers_are_recognised() {
    let catalogue = Catalogue::default();
    for &(path, line, kind, role) in SERVERS {
        let Verdict::Server(identity) = catalogue.decide(&program(path, line)) else {
            panic!("not recognised: {path} {line}");
        };
        assert_eq!((identity.kind, identity.role), (kind, role), "{line}");
    }
}

#[test]
fn recorded_programs_wait_until_they_listen() {
    let catalogue = Catalogue::default();
    for (path, line, kind) in [
        (
            NODE,
            "node /srv/node_modules/.bin/next start",
            ServiceKind::Node,
        ),
        (NODE, "node -e 1", ServiceKind::Node),
        (PYTHON, "python3 manage.py runserver", ServiceKind::Python),
        (
            PYTHON,
            "python3 -c import_gunicorn /usr/bin/gunicorn",
            ServiceKind::Python,
        ),
        (PYTHON, "python3 /opt/tool.py gunicorn", ServiceKind::Python),
        (PYTHON, "python3 /tmp/puma", ServiceKind::Python),
        (RUBY, "ruby -e puma", ServiceKind::Ruby),
        (RUBY, "ruby bin/rails console", ServiceKind::Ruby),
        (PERL, "perl -wne starman", ServiceKind::Perl),
        (
            "/usr/bin/php8.2",
            "php artisan queue:work",
            ServiceKind::Php,
        ),
        (
            "/usr/share/dotnet/dotnet",
            "dotnet /app/Shop.dll",
            ServiceKind::Dotnet,
        ),
        (
            "/usr/lib/erlang/erts-13/bin/beam.smp",
            "beam.smp -- -root /usr/lib/erlang",
            ServiceKind::Beam,
        ),
        (JAVA, "java -jar shop.jar", ServiceKind::Java),
    ] {
        let verdict = catalogue.decide(&program(path, line));
        assert_eq!(verdict, Verdict::Candidate(kind.into()), "{line}");
    }
}

/// Puma puts a title in the place of its command line; only of what runs is it its own.
#[test]
fn a_title_names_a_server_that_was_there_before() {
    const GITLAB: &str = "/opt/gitlab/embedded/bin/ruby";
    let catalogue = Catalogue::default();
    let decide = |path: &str, words: &[&str], source: Source| {
        let mut titled = program(path, "");
        titled.args.head = words.iter().map(|&word| word.into()).collect();
        titled.source = source;
        catalogue.decide(&titled)
    };
    let server = |kind: ServiceKind, role: Role| {
        let mut identity = Identity::from(kind);
        identity.role = role;
        Verdict::Server(identity)
    };
    let title = "puma 5.6.5 (tcp://127.0.0.1:3000) [shop]";
    let puma = decide(RUBY, &[title], Source::Scan);
    assert_eq!(puma, server(ServiceKind::Puma, Role::App));
    let gitlab = decide(GITLAB, &[title], Source::Scan);
    assert_eq!(gitlab, server(ServiceKind::Puma, Role::Ci));
    let other = Verdict::Candidate(ServiceKind::Ruby.into());
    for words in [
        &["puma: cluster worker 0: 812 [shop]"][..],
        &["puma master"],
        &["puma 5.6.5", "-e", "1"],
    ] {
        assert_eq!(decide(RUBY, words, Source::Scan), other, "{words:?}");
    }
    assert_eq!(decide(RUBY, &[title], Source::Exec), other, "as typed");
    let python = decide(PYTHON, &[title], Source::Scan);
    assert_eq!(python, Verdict::Candidate(ServiceKind::Python.into()));
}
