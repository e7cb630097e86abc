//! Capabilities beyond those that the sensor needs, given up before it has a second thread.
//!
//! Started as root it would keep all of them: whoever takes it over could load modules and
//! mount file systems. What a service manager has not granted is not there anyway.

use std::sync::atomic::{AtomicBool, Ordering};

use rustix::{
    io::Errno,
    process::geteuid,
    thread::{
        CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set,
        clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
        set_no_new_privs,
    },
};

/// To load and attach programs, to read the processes of others, to look into their roots.
const NEEDED: CapabilitySet = CapabilitySet::BPF
    .union(CapabilitySet::PERFMON)
    .union(CapabilitySet::SYS_PTRACE)
    .union(CapabilitySet::DAC_READ_SEARCH);

/// What only loading and attaching want; before Linux 5.8 `SYS_ADMIN` stands for the others,
/// and tracefs is mounted with it.
const ATTACHING: CapabilitySet = CapabilitySet::BPF
    .union(CapabilitySet::PERFMON)
    .union(CapabilitySet::SYS_ADMIN);
/// [`ATTACHING`] has been given up by the thread that had attached.
static ATTACHED: AtomicBool = AtomicBool::new(false);

/// What a start asks for besides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// A port below 1024 is to be listened on.
    pub low_port: bool,
    /// tracefs is to be mounted for the moment of attaching.
    pub mount: bool,
}

/// Gives up what is not needed, for this thread and all that it starts, and the gain of
/// more by what is executed.
///
/// # Errors
/// When the kernel refuses, which only a filter of system calls makes it do.
pub fn shed(wish: Wish) -> Result<(), Errno> {
    let held = capabilities(None)?.permitted;
    shed_to(kept(held, wish))
}

fn shed_to(kept: CapabilitySet) -> Result<(), Errno> {
    let sets = capabilities(None)?;
    let held = sets.permitted;
    // Before the right to do so goes; without it (`CAP_SETPCAP`) the set stays as it is,
    // which is of no use to who may not gain anything by executing.
    for capability in CapabilitySet::all().iter() {
        let bounds = !kept.contains(capability)
            && held.contains(CapabilitySet::SETPCAP)
            // Unknown to this kernel: EINVAL.
            && capability_is_in_bounding_set(capability).unwrap_or(false);
        if bounds {
            remove_capability_from_bounding_set(capability)?;
        }
    }
    clear_ambient_capability_set()?;
    set_no_new_privs(true)?;
    // Filters of system calls, as the systemd unit and the pod have one, let nobody set
    // capabilities; who has such a filter has no more of them than it needs. What is
    // inheritable alone is nothing, now that nothing can be gained by executing.
    if (sets.effective, sets.permitted) == (kept, kept) {
        return Ok(());
    }
    let wanted = CapabilitySets {
        effective: kept,
        permitted: kept,
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, wanted)
}

/// Gives up all but what a process that starts an outlet wants, likewise.
///
/// # Errors
/// Like [`shed`].
pub fn shed_for_start(wish: Wish) -> Result<(), Errno> {
    let held = capabilities(None)?.permitted;
    let low_port = if wish.low_port {
        CapabilitySet::NET_BIND_SERVICE
    } else {
        CapabilitySet::empty()
    };
    shed_to(held & low_port)
}

/// This process is root and may become another user.
#[must_use]
pub fn may_change_user() -> bool {
    let wanted = CapabilitySet::SETUID | CapabilitySet::SETGID;
    let held = capabilities(None).map(|sets| sets.effective);
    geteuid().is_root() && held.is_ok_and(|held| held.contains(wanted))
}

/// Gives up every capability, for this thread and all that it starts, and the gain of any by
/// what is executed.
///
/// # Errors
/// When the kernel refuses.
pub fn shed_all() -> Result<(), Errno> {
    shed_to(CapabilitySet::empty())
}

/// Gives up what only loading and attaching want, for this thread and all that it starts, when
/// `works` says that the rest can be done without: kernels before 5.19 ask for `CAP_BPF` at
/// every `bpf(2)`. Tells what `works` says; threads that are there already [`follow`].
///
/// # Errors
/// When the kernel refuses, which only a filter of system calls makes it do.
pub fn shed_attaching<E>(works: impl FnOnce() -> Result<(), E>) -> Result<Result<(), E>, Errno> {
    let sets = capabilities(None)?;
    let tried = CapabilitySets {
        effective: sets.effective - ATTACHING,
        ..sets
    };
    set_capabilities(None, tried)?;
    if let Err(why) = works() {
        set_capabilities(None, sets)?;
        return Ok(Err(why));
    }
    give_up_attaching()?;
    ATTACHED.store(true, Ordering::Release);
    Ok(Ok(()))
}

/// Gives up for this thread what [`shed_attaching`] has given up for its own, if it has.
///
/// # Errors
/// Like [`shed_attaching`].
pub fn follow() -> Result<(), Errno> {
    if ATTACHED.load(Ordering::Acquire) {
        give_up_attaching()?;
    }
    Ok(())
}

fn give_up_attaching() -> Result<(), Errno> {
    let sets = capabilities(None)?;
    // A filter of system calls may be there already, and forbid it.
    if !sets.permitted.intersects(ATTACHING) {
        return Ok(());
    }
    let wanted = CapabilitySets {
        effective: sets.effective - ATTACHING,
        permitted: sets.permitted - ATTACHING,
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, wanted)
}

fn kept(held: CapabilitySet, wish: Wish) -> CapabilitySet {
    // Its files may stand in directories of others: `record` into somebody's home. The
    // systemd unit does not grant it.
    let mut wanted = NEEDED | CapabilitySet::DAC_OVERRIDE;
    if wish.low_port {
        wanted |= CapabilitySet::NET_BIND_SERVICE;
    }
    if wish.mount {
        wanted |= CapabilitySet::SYS_ADMIN;
    }
    let finer = CapabilitySet::BPF | CapabilitySet::PERFMON;
    if !held.contains(finer) {
        // Stands for both.
        wanted |= CapabilitySet::SYS_ADMIN;
    }
    held & wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_keeps_little() {
        let kept = |held, low_port| {
            let mount = false;
            kept(held, Wish { low_port, mount })
        };
        let all = CapabilitySet::all();
        assert_eq!(kept(all, false), NEEDED | CapabilitySet::DAC_OVERRIDE);
        assert!(kept(all, true).contains(CapabilitySet::NET_BIND_SERVICE));
        assert_eq!(kept(NEEDED, true), NEEDED, "nothing is gained");
        let admin = CapabilitySet::SYS_ADMIN | CapabilitySet::SYS_PTRACE;
        assert_eq!(kept(admin | CapabilitySet::CHOWN, false), admin);
        assert_eq!(kept(CapabilitySet::empty(), true), CapabilitySet::empty());
        let mount = Wish {
            mount: true,
            ..Wish::default()
        };
        assert!(super::kept(all, mount).contains(CapabilitySet::SYS_ADMIN));
    }

    #[test]
    fn what_attaching_wants_goes_when_the_rest_works_without() {
        let held = || capabilities(None).unwrap().permitted;
        let done = std::thread::spawn(move || {
            if !held().contains(CapabilitySet::BPF) {
                println!("SKIP privilege: not root");
                return;
            }
            let before = held();
            assert_eq!(
                shed_attaching(|| Err("asked for")).unwrap(),
                Err("asked for")
            );
            let sets = capabilities(None).unwrap();
            assert_eq!((sets.effective, sets.permitted), (before, before));
            let works = || {
                let effective = capabilities(None).unwrap().effective;
                let tried = !effective.intersects(ATTACHING);
                tried.then_some(()).ok_or("tried with them")
            };
            // A thread that is there already.
            let (go, wait) = std::sync::mpsc::sync_channel(1);
            let other = std::thread::spawn(move || {
                wait.recv().unwrap();
                follow().unwrap();
                held()
            });
            assert_eq!(shed_attaching(works).unwrap(), Ok(()));
            go.send(()).unwrap();
            assert_eq!(held(), before - ATTACHING);
            assert_eq!(other.join().unwrap(), before - ATTACHING);
        });
        done.join().unwrap();
    }

    #[test]
    fn a_thread_that_sheds_cannot_go_back() {
        let done = std::thread::spawn(|| {
            shed(Wish::default()).unwrap();
            let sets = capabilities(None).unwrap();
            assert!(!sets.permitted.contains(CapabilitySet::SYS_ADMIN));
            assert_eq!(sets.effective, sets.permitted);
            assert!(sets.inheritable.is_empty());
            let more = CapabilitySets {
                permitted: sets.permitted | CapabilitySet::SYS_ADMIN,
                ..sets
            };
            assert_eq!(set_capabilities(None, more), Err(Errno::PERM));
            assert!(rustix::thread::no_new_privs().unwrap());
            shed(Wish::default()).unwrap();
        });
        done.join().unwrap();
    }
}
