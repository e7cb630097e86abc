//! The lab: attacks and ordinary work on real servers, a row of data each, played before
//! one running sensor after another; `cargo xtask lab` prints the table.
//!
//! Every attack must be alerted at medium or above with the server it went through as the
//! root of its lineage, by the rule that is there for it, started before the sensor and
//! after. Nothing of the ordinary work may be. A profile learnt from the one half may
//! silence nothing of the other.

mod attack;
mod benign;
mod case;
mod choice;
mod control;
mod installed;
mod learned;
mod loss;
mod proof;
mod record;
mod round;
mod stacks;
mod table;
mod turn;

use std::{
    collections::BTreeSet,
    io::{self, Write as _},
    rc::Rc,
};

use tempfile::TempDir;

use self::{
    case::{Attack, Benign, Expected, Order, Profile, Row},
    choice::Choice,
    control::Control,
    installed::Installed,
    learned::Recordings,
    record::Record,
    round::{Round, Worked},
    stacks::{Stack, Stacks},
    table::Counts,
};
use crate::fixture::{
    apache, cgroup, java, nginx, php_fpm,
    php_fpm::{Pool, Start},
    scene::{self, Need, Scene},
    site::Site,
    tomcat,
};

const NAME: &str = "lab::every_attack_alerts_and_no_ordinary_work_does";

const NEEDS: &[Need] = &[
    apache::program,
    apache::php_module,
    cgroup::root,
    java::compiler,
    java::program,
    nginx::program,
    php_fpm::program,
    scene::compiler,
    scene::python,
    stacks::postgres_program,
    tomcat::program,
    turn::own_address,
    || scene::program("busybox"),
    || scene::program("crontab"),
    || scene::program("curl"),
    || scene::program("diff3"),
    || scene::program("ed"),
    || scene::program("fcgiwrap"),
    || scene::program("gdb"),
    || scene::program("git"),
    || scene::program("gpg"),
    || scene::program("gunicorn"),
    || scene::program("haproxy"),
    || scene::program("lighttpd"),
    || scene::program("make"),
    || scene::program("mariadbd"),
    || scene::program("node"),
    || scene::program("openssl"),
    || scene::program("podman"),
    || scene::program("puma"),
    || scene::program("redis-server"),
    || scene::program("rsync"),
    || scene::program("socat"),
    || scene::program("ssh"),
    || scene::program("uvicorn"),
    || scene::program("uwsgi"),
    || scene::program("vim"),
];

/// It attacks as soon as it starts, so that it has no place in the benign half.
const LATE: Stack = Stack::BackDoor;

#[test]
fn every_attack_alerts_and_no_ordinary_work_does() {
    let Some(scene) = Scene::begin(NAME, NEEDS) else {
        return;
    };
    let choice = Choice::of_the_environment();
    let mut lab = Lab::open(&scene, choice);
    lab.play();
    lab.report();
}

/// A part of the benign half.
type Part = fn(&Benign) -> bool;

fn is_plain(case: &Benign) -> bool {
    matches!(case.profile, Profile::None | Profile::Knows(_))
}

fn is_of_a_product(case: &Benign) -> bool {
    matches!(case.profile, Profile::Product(_))
}

fn is_to_be_learnt(case: &Benign) -> bool {
    case.profile == Profile::Learnt
}

/// A row of ordinary work, which fails unless something shows that the work was done.
fn proved(worked: Worked, record: &Record) -> Row {
    let Worked {
        mut row,
        fence,
        proofs,
        ..
    } = worked;
    if row.failure.is_none() {
        row.failure = if proofs.is_empty() {
            Some("nothing shows that it was played".to_owned())
        } else {
            record.lacks(fence, &proofs)
        };
    }
    row.proofs = proofs.iter().map(ToString::to_string).collect();
    row
}

/// What is played, where, and what came of it.
struct Lab<'a> {
    scene: &'a Scene,
    choice: Choice,
    /// Where no attacker can write by itself, as below `/tmp`.
    dir: TempDir,
    fence: Rc<Site>,
    attacks: Vec<Attack>,
    benign: Vec<Benign>,
    rows: Vec<Row>,
    recordings: Recordings,
    failures: Vec<String>,
    /// Programs of products that are not installed here.
    _installed: Installed,
}

impl<'a> Lab<'a> {
    fn open(scene: &'a Scene, choice: Choice) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("lineage-lab-")
            .tempdir_in("/srv")
            .expect("make a directory");
        std::fs::set_permissions(
            dir.path(),
            std::os::unix::fs::PermissionsExt::from_mode(0o755),
        )
        .expect("open a directory");
        let fence = Site::start(scene, Start::Foreground, Pool::Steady);
        fence.page(round::FENCE.0, round::FENCE.1);
        Self {
            scene,
            attacks: choice.attacks(attack::all()),
            benign: choice.benign(benign::all()),
            choice,
            dir,
            fence: Rc::new(fence),
            rows: Vec::new(),
            recordings: Recordings::default(),
            failures: Vec::new(),
            _installed: Installed::make(scene),
        }
    }

    /// Servers that start under the sensor do their work, and go on under the next one;
    /// then the products, with their profiles, and what must be learnt; then the attacks,
    /// on these servers and on others that start under the sensor.
    fn play(&mut self) {
        let mut first = self.begin_work();
        self.work(("w", Order::Before), &first, "", is_plain);
        let products = benign::with_products();
        self.work(("p", Order::Before), &first, &products, is_of_a_product);
        self.work(("l", Order::Before), &first, "", is_to_be_learnt);
        if self.attacks.iter().any(|case| case.stack == LATE) {
            first.add(self.scene, LATE);
        }
        let orphan = self.wants("EV02").then(|| stacks::orphan(&first));
        if self.has_attacks(Order::Before) {
            let round = self.round(("x", Order::Before), "");
            self.attack(round, &first);
        }
        drop(orphan);
        drop(first);
        if self.has_attacks(Order::After) {
            let round = self.round(("x", Order::After), "");
            let second = self.stacks(Order::After);
            self.attack(round, &second);
        }
        if self.choice.wants("EV24", Stack::Php.name()) {
            self.rows.push(loss::row(self.scene, &self.fence));
        }
    }

    /// Starts servers under the sensor, whose first work is to start.
    fn begin_work(&mut self) -> Stacks {
        if self.cases(Order::After, is_plain).is_empty() {
            return self.stacks(Order::Before);
        }
        let round = self.round(("w", Order::After), "");
        let stacks = self.stacks(Order::Before);
        self.played(round, &stacks, is_plain);
        stacks
    }

    fn has_attacks(&self, order: Order) -> bool {
        self.attacks.iter().any(|case| case.when.has(order))
    }

    /// Numbered cases of a part of the benign half.
    fn cases(&self, order: Order, part: Part) -> Vec<(usize, &Benign)> {
        let cases = self.benign.iter().enumerate();
        let wanted = cases.filter(|(_, case)| part(case) && case.when.has(order));
        wanted.collect()
    }

    fn wants(&self, id: &str) -> bool {
        self.attacks.iter().any(|case| case.id == id)
    }

    /// Starts a sensor beside the fence, which belongs to nobody's case.
    fn round(&self, what: (&'static str, Order), lines: &str) -> Round {
        Round::begin(self.scene, &self.fence, what, lines)
    }

    /// Starts the servers of the chosen cases.
    fn stacks(&self, order: Order) -> Stacks {
        let of_attacks = self.attacks.iter().map(|case| case.stack);
        let of_work = self.benign.iter().flat_map(|case| case.needs);
        let mut wanted: BTreeSet<Stack> = of_work.copied().collect();
        match order {
            Order::Before => wanted.extend(of_attacks.filter(|stack| *stack != LATE)),
            Order::After => wanted = of_attacks.collect(),
        }
        Stacks::start(self.scene, self.dir.path(), order, &wanted)
    }

    /// Plays the cases of a part of the benign half before a sensor of their own.
    fn work(
        &mut self,
        (name, order): (&'static str, Order),
        stacks: &Stacks,
        lines: &str,
        part: Part,
    ) {
        if !self.cases(order, part).is_empty() {
            let round = self.round((name, order), lines);
            self.played(round, stacks, part);
        }
    }

    fn played(&mut self, mut round: Round, stacks: &Stacks, part: Part) {
        self.failures.extend(round.start_is_silent());
        let worked = round.work(stacks, &self.cases(round.order(), part));
        let (recording, late) = round.end();
        self.failures.extend(late);
        let record = Record::read(&recording);
        let control = Control::of(self.scene.path(), &recording, &worked);
        let rows = worked.into_iter().map(|worked| {
            let (profile, fence) = (worked.profile, worked.fence);
            let mut row = proved(worked, &record);
            control.judge(&mut row, profile, fence);
            row
        });
        let rows: Vec<Row> = rows.collect();
        let learning = rows.iter().any(|row| row.expected == Expected::Learning);
        self.rows.extend(rows);
        if learning {
            self.recordings.learning = Some(recording);
        } else {
            self.recordings.benign.push(recording);
        }
    }

    fn attack(&mut self, mut round: Round, stacks: &Stacks) {
        let order = round.order();
        let cases = self.attacks.iter().enumerate();
        let cases: Vec<(usize, &Attack)> = cases.filter(|(_, case)| case.when.has(order)).collect();
        let rows = round.attack(stacks, &cases);
        self.rows.extend(rows);
        self.recordings.attacks.push(round.finish());
    }

    /// Prints the table and fails when anything did.
    fn report(mut self) {
        let learned = self
            .recordings
            .has_work()
            .then(|| learned::judge(self.scene.path(), &self.recordings, &mut self.rows));
        self.rows.extend(self.choice.impossible());
        self.rows.sort_by_key(Row::place);
        if self.rows.is_empty() {
            self.failures
                .push("no case has this id on such a server".to_owned());
        }
        let counts = Counts::of(&self.rows);
        let learned_wrong = learned.as_ref().and_then(learned::Learned::failure);
        let mut failures = table::failures(&self.rows);
        failures.append(&mut self.failures);
        failures.extend(learned_wrong);
        failures.extend(self.choice.missing(&self.rows));
        let mut out = io::stdout();
        let mut say = |text: String| writeln!(out, "{text}").expect("write to standard output");
        if self.choice.json {
            say(table::json(&self.rows, learned.as_ref(), &failures).to_string());
        } else {
            say(table::text(&self.rows, &failures));
        }
        if let Some(learned) = &learned {
            say(learned.line());
        }
        say(counts.line(learned.as_ref()));
        assert!(
            failures.is_empty(),
            "{} failures: see above",
            failures.len()
        );
    }
}
