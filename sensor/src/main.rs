use sensor::{probe::*, ring::Read, event::Event};
fn main() {
    if std::env::args().nth(1).as_deref() == Some(HELPER_ARG) { helper(); return; }
    let key = |n: &str| { let mut k=[0u8;16]; k[..n.len()].copy_from_slice(n.as_bytes()); k };
    let opts = Options { btf: KERNEL_BTF.into(), host_scope: std::env::var("HOST").is_ok(), rung: std::env::var("RAW").ok().map(|_| Rung::RawTp), overrides: std::env::args().skip(1).map(|a| a.parse().unwrap()).collect(), names: vec![(key("nginx"),0),(key("apache"),1),(key("php-fpm"),2),(key("java"),3)], log: Some(log::Level::Debug) };
    let t=std::time::Instant::now();
    let mut p = match Probe::start(&opts) { Ok(p)=>p, Err(e)=>{ eprintln!("ERR {e}"); return } };
    eprintln!("attached {:?} {:?}", t.elapsed(), p.hooks());
    if let Err(e) = p.self_test() { eprintln!("ERR {e}"); return }
    eprintln!("self test ok {:?}", t.elapsed());
    let s = p.seed(opts.host_scope, &|_| Some(0)).unwrap();
    eprintln!("seeded {:?} complete {} procs {} backlog {}", t.elapsed(), s.complete, s.snapshot.processes.len(), s.backlog.len());
    for x in &s.snapshot.processes { eprintln!("  {:?} parent {} {:?} {}", x.process, x.parent.tgid, x.membership, x.program.as_ref().map(|p| p.args.command_line()).unwrap_or_default()); }
    let c = p.counters();
    let (mut ring, _a) = p.split();
    let t=std::time::Instant::now();
    while t.elapsed().as_secs() < 4 { while let Some(r)=ring.next() { match r { Read::Event(Event::Exec(e), l) => eprintln!("{l:?} EXEC {:?} m {:?} {} args {} cwd {} cg {:?} env {:?} fd {:?} faults {:?} file {:?}", e.process, e.membership, e.program.image.path, e.program.args.command_line(), e.program.cwd, e.program.cgroup, e.program.env, e.program.stdio, e.program.faults, e.program.image), r => eprintln!("{r:?}") } } std::thread::sleep(std::time::Duration::from_millis(10)); }
    for k in sensor_common::counter::Counter::ALL { eprintln!("{} {}", k.name(), c.read(*k).unwrap()); }
    eprintln!("recursion {}", c.recursion_misses());
}
