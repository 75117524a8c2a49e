//! What a run of a service leaves behind: processes of its process group, and those that have become our
//! children because their parents are gone.

use common::{Text, child, procfs};
use nix::errno::Errno;

use super::process::Process;
use super::service::Leftovers;
use super::world::World;

/// Signals what the run that has just died left behind, if the service directory says so. A line that
/// counts and names what was not named before; empty where there is nothing.
pub(super) fn after(process: &mut Process, world: &World) -> Text<320> {
    let signal = match process.settings.leftovers {
        Leftovers::Signalled(signal) => Some(signal),
        Leftovers::Told => None,
    };
    if let Some(signal) = signal {
        // The group that run has led. Nobody else can have got its number: while members live it is taken.
        match child::kill_group(process.died.1, signal) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(errno) => process.voice(world).unable(&[b"signal the process group of run"], errno),
        }
    }
    let mut line = Text::new();
    let known = [process.script, world.logger];
    let mut names = Text::<224>::new();
    let (mut count, mut new) = (0u32, false);
    let mut still = [0; 8];
    child::children(|pid| {
        if known.contains(&pid) || child::process(pid).is_ok_and(|process| process.zombie) {
            return;
        }
        new |= !process.reported.contains(&pid);
        if let Some(place) = still.get_mut(count as usize) {
            *place = pid;
            names.add(if count == 0 { ": " } else { ", " }).number(pid).add(" ").add(name(pid).bytes());
        }
        count += 1;
        if let Some(signal) = signal {
            let _ = child::kill_child(pid, signal); // our child, not reaped yet: it is what it was
        }
    });
    process.reported = still;
    if new {
        line.add("warning: svrun: run left ").number(count);
        line.add(if count == 1 { " process behind" } else { " processes behind" })
            .add(names.bytes())
            .add("\n");
    }
    line
}

/// The name of a process, in parentheses as ps(1) shows one without a command line.
fn name(pid: u32) -> Text<24> {
    let mut path = Text::<32>::of("/proc/");
    path.number(pid).add("/comm\0");
    let mut buffer = [0; 20];
    let path = std::ffi::CStr::from_bytes_with_nul(path.bytes()).unwrap_or(c"");
    let mut name = Text::of("(");
    for byte in procfs::read(path, &mut buffer).unwrap_or(b"?") {
        match byte {
            b'\n' => {}
            b' '..=b'~' => drop(name.add([*byte])),
            _ => drop(name.add("?")),
        }
    }
    name.add(")");
    name
}
