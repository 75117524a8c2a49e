//! What the two do differently, and why.

use super::sandbox::Seen;

/// A difference, and every line in which it is one.
pub(super) struct Difference {
    /// The lines; `*` stands for anything.
    pub(super) lines: &'static [&'static str],
    /// The items that only runit's leaves; `*` stands for anything. Where one of the two did not run the program, the
    /// other's state need not be named.
    pub(super) theirs: &'static [&'static str],
    /// The items that only ours leaves.
    pub(super) ours: &'static [&'static str],
    /// Why ours differs.
    pub(super) reason: &'static str,
}

impl Difference {
    pub(super) fn is_of(&self, line: &str) -> bool {
        self.lines.iter().any(|pattern| is(pattern, line))
    }

    /// Whether it counts for this line: one of the program's state does where both ran the program.
    pub(super) fn applies(&self, line: &str, theirs: &Seen, ours: &Seen) -> bool {
        let of_the_end = |item: &&str| item.starts_with("status ") || item.starts_with("stdout ");
        let of_the_end = self.theirs.iter().chain(self.ours).any(of_the_end);
        self.is_of(line) && (of_the_end || theirs.ran() && ours.ran())
    }
}

/// Whether `text` is as the pattern.
pub(super) fn is(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(start) else { return false };
    (0..=text.len()).any(|at| text.get(at..).is_some_and(|text| is(rest, text)))
}

/// Theirs ran the program, ours fails.
const RAN: &[&str] = &["status 0", "stderr nothing"];
const REFUSED: &[&str] = &["status 111", "stderr something"];
const MISUSED: &[&str] = &["status 100", "stderr something"];

const NO_C: &str =
    "-C is of runit 2.3, and Debian has 2.1.2; with it the new directory counts for the lock, and not for -e";

pub(super) const DIFFERENCES: &[Difference] = &[
    // The program.
    Difference {
        lines: &[
            "chpst *no-such-program*",
            "chpst ''",
            "chpst -P ''",
            "chpst ./no/program",
            "chpst ./loose",
            "chpst file/below",
            "chpst ./interpreter",
            "chpst -/ . state",
            "unset PATH; exec bin/chpst state",
            "PATH=; exec bin/chpst state",
            "PATH=/nowhere; exec bin/chpst ls",
            "chpst -- -P state",
            "chpst -P -- -P state",
            "chpst - state",
            "chpst -P - state",
            "chpst -e path chpst state",
        ],
        theirs: &["status 111"],
        ours: &["status 127"],
        reason: "a program that is not found is status 127, as everywhere but in the family of daemontools",
    },
    Difference {
        lines: &[
            "chpst ./file",
            "chpst -u alice ./file",
            "chpst ./dir",
            "chpst plain",
            "chpst ./script",
            "chpst -b name ./script",
            "chpst -u alice ./private",
            "alice chpst ./private",
            "PATH=$PATH:$PWD/closed; exec bin/chpst -u alice no-such-program",
        ],
        theirs: &["status 111"],
        ours: &["status 126"],
        reason: "a program that cannot run is status 126, as everywhere but in the family of daemontools",
    },
    Difference {
        lines: &["PATH=$PWD/file:$PATH; exec bin/chpst state"],
        theirs: REFUSED,
        ours: RAN,
        reason: "a file in the place of a directory of PATH is no reason to stop the search",
    },
    // Options.
    Difference {
        lines: &["chpst -C dir state", "chpst -Cdir state", "chpst -C none -C dir state"],
        theirs: MISUSED,
        ours: &["status 0", "stderr nothing", "cwd @/box/dir", "directory box/dir"],
        reason: NO_C,
    },
    Difference {
        lines: &["chpst -C / state"],
        theirs: MISUSED,
        ours: &["status 0", "stderr nothing", "cwd /", "directory /"],
        reason: NO_C,
    },
    Difference {
        lines: &["chpst -/ ../root -C /bin state"],
        theirs: MISUSED,
        ours: &["status 0", "stderr nothing", "cwd /bin", "root root"],
        reason: NO_C,
    },
    Difference {
        lines: &["chpst -u alice -C closed state"],
        theirs: MISUSED,
        ours: &["status 0", "stderr nothing", "cwd @/box/closed", "uids 5001 5001 5001"],
        reason: NO_C,
    },
    Difference {
        lines: &["chpst -C dir -e env state"],
        theirs: MISUSED,
        ours: &["status 0", "stderr nothing", "cwd @/box/dir", "env A=of env", "env PWD=@/box"],
        reason: NO_C,
    },
    Difference {
        lines: &["chpst -C dir -l lock state"],
        theirs: MISUSED,
        ours: &["status 0", "stderr nothing", "left box/dir/lock 100600 *"],
        reason: NO_C,
    },
    Difference {
        lines: &[
            "chpst -C none state",
            "chpst -C file state",
            "chpst -C dir -e ../env state",
            "chpst -C '' state",
        ],
        theirs: &["status 100"],
        ours: &["status 111"],
        reason: NO_C,
    },
    Difference {
        lines: &["chpst -V", "chpst -V state", "chpst -VP -o 64 state"],
        theirs: &["status 100"],
        ours: &["status 0"],
        reason: "a question for the version is answered, without a usage error after it",
    },
    Difference {
        lines: &["chpst --help", "chpst --version"],
        theirs: MISUSED,
        ours: &["status 0", "stderr nothing", "stdout *"],
        reason: "every link has --help and --version",
    },
    Difference {
        lines: &["chpst --help state", "chpst --version state"],
        theirs: &["umask *"],
        ours: &["stdout *"],
        reason: "every link has --help and --version; runit's takes what begins with two dashes for the end of options",
    },
    Difference {
        lines: &["chpst --nothing state"],
        theirs: RAN,
        ours: MISUSED,
        reason: "a long option that is none may be meant as one: runit's takes it for the end of options",
    },
    Difference {
        lines: &["chpst --user alice state"],
        theirs: &["status 111"],
        ours: &["status 100"],
        reason: "a long option that is none may be meant as one: runit's takes it for the end of options",
    },
    // Accounts.
    Difference {
        lines: &["chpst -u :5001: state"],
        theirs: &["status 0", "stderr nothing", "gids 0 0 0", "groups 0"],
        ours: REFUSED,
        reason: "an empty field is an error, and no 0",
    },
    Difference {
        lines: &["chpst -u ::5100 state"],
        theirs: &["status 0", "stderr nothing", "uids 0 0 0", "gids 5100 5100 5100"],
        ours: REFUSED,
        reason: "an empty field is an error, and no 0",
    },
    Difference {
        lines: &[
            "chpst -u :: state",
            "chpst -u ::: state",
            "chpst -u :5001:5100: state",
            "chpst -u :5001::5100 state",
            "chpst -U :: state",
            "chpst -U ::: state",
            "chpst -U :5001: state",
            "chpst -U :5001:5100: state",
            "chpst -U :5001::5100 state",
            "chpst -U ::5100 state",
        ],
        theirs: RAN,
        ours: REFUSED,
        reason: "an empty field is an error, and no 0",
    },
    Difference {
        lines: &["chpst -u :4294967296:1 state", "chpst -u :18446744073709551616:1 state"],
        theirs: &["status 0", "stderr nothing", "uids 0 0 0"],
        ours: REFUSED,
        reason: "a number that is too large is an error, and not cut to another: here to root",
    },
    Difference {
        lines: &[
            "chpst -u :99999999999:99999999999 state",
            "chpst -U :99999999999:99999999999 state",
            "chpst -U :4294967296:1 state",
            "chpst -U :18446744073709551616:1 state",
            "chpst -U :4294967295:1 state",
            "chpst -U :1:4294967295 state",
            "chpst -U nil state",
        ],
        theirs: RAN,
        ours: REFUSED,
        reason: "a number that is too large is an error, and so is the one that means no id to the kernel",
    },
    Difference {
        lines: &["chpst -u alice:staff:staff state"],
        theirs: &["groups 5100 5100", "Groups 5100 5100"],
        ours: &["groups 5100", "Groups 5100"],
        reason: "a group is in the list once",
    },
    Difference {
        lines: &["chpst -u alice:*:many60 state"],
        theirs: &["groups * 6059", "Groups * 6059"],
        ours: &["groups * 6060", "Groups * 6060"],
        reason: "all groups are set: theirs leaves those out that are behind the 60th",
    },
    Difference {
        lines: &["chpst -u :5001:*:6060 state"],
        theirs: REFUSED,
        ours: &["status 0", "stderr nothing", "groups * 6060"],
        reason: "there can be more than 60 groups",
    },
    Difference {
        lines: &["alice chpst -u alice state"],
        theirs: REFUSED,
        ours: RAN,
        reason: "calls that would change nothing are left out",
    },
    Difference {
        lines: &["pose ambient chpst -u alice state", "exec setpriv --inh-caps=+chown chpst -u alice state"],
        theirs: &["inheritable *", "CapInh *"],
        ours: &["inheritable 0000000000000000", "CapInh 0000000000000000"],
        reason: "no capability outlives the change of ids, as with setuidgid",
    },
    Difference {
        lines: &["pose death chpst -u alice state"],
        theirs: &["parent-death 0"],
        ours: &["parent-death 12"],
        reason: "the kernel clears it with a change of ids; it is no part of what was asked for",
    },
    // Variables.
    Difference {
        lines: &["chpst -e equals state"],
        theirs: &["status 0", "stderr nothing", "env X=Y=x"],
        ours: REFUSED,
        reason: "a name has no equals sign: it would set another variable",
    },
    Difference {
        lines: &["chpst -e . state", "chpst -e dangling state", "chpst -e with-fifo state"],
        theirs: RAN,
        ours: REFUSED,
        reason: "a file that cannot be read is an error, and nothing is executed",
    },
    Difference {
        lines: &["cd closed; alice chpst -e \"$OLDPWD/env\" state"],
        theirs: REFUSED,
        ours: RAN,
        reason: "the current directory is not needed, and so need not be readable",
    },
    Difference {
        lines: &["pose env=odd bin/chpst -e env*"],
        theirs: &["env A=1", "env A=2"],
        ours: &[],
        reason: "a variable that is set replaces all of its name, and not the first alone",
    },
    // The niceness.
    Difference {
        lines: &["chpst -n '' state", "chpst -n - state", "chpst -n + state"],
        theirs: RAN,
        ours: MISUSED,
        reason: "an empty number is a usage error, and no 0: it may be a variable that is not set",
    },
    Difference {
        lines: &[
            "pose nice chpst -n 2147483647 state",
            "chpst -n 2147483648 state",
            "chpst -n 4294967295 state",
            "chpst -n 4294967296 state",
            "chpst -n 18446744073709551616 state",
        ],
        theirs: &["nice *"],
        ours: &["nice 19"],
        reason: "a large number is one, and not the 32 bits of it or what an addition wraps to",
    },
    Difference {
        lines: &["chpst -n -4294967296 state"],
        theirs: &["nice *"],
        ours: &["nice -20"],
        reason: "a large number is one, and not the 32 bits of it or what an addition wraps to",
    },
    // Locks.
    Difference {
        lines: &["*-l*state", "*-L*state", "chpst -l*state <&-*", "chpst -l lock -e env state 3<*"],
        theirs: &["fd * 0*06001 *"],
        ours: &["fd * 0*04001 *", "lock * OFDLCK ADVISORY WRITE"],
        reason: "the lock is one for s6 and perp too, opened as setlock opens it: nothing is written to it, and no \
                 symbolic link is followed",
    },
    Difference {
        lines: &["chpst -l lock state <&-*"],
        theirs: &["lock 0 FLOCK ADVISORY WRITE"],
        ours: &["lock 3 FLOCK ADVISORY WRITE"],
        reason: "a lock is never on a standard fd, which the program takes for its input",
    },
    Difference {
        lines: &["chpst -0 -l lock state <&-"],
        theirs: &[],
        ours: &["lock 3 FLOCK ADVISORY WRITE", "lock 3 OFDLCK ADVISORY WRITE", "fd 3 0*04001 * @/box/lock"],
        reason: "theirs opens the lock on fd 0 and closes it, and so runs the program without",
    },
    Difference {
        lines: &["chpst -L record state"],
        theirs: RAN,
        ours: REFUSED,
        reason: "a lock of fcntl(2) counts: s6 and perp take no other",
    },
    Difference {
        lines: &["chpst -l link state"],
        theirs: RAN,
        ours: REFUSED,
        reason: "a lock file is no symbolic link, as with setlock: somebody else may have put it there",
    },
    Difference {
        lines: &["chpst -l loose state"],
        theirs: &["status 0", "stderr nothing", "left box/nowhere 100600 *"],
        ours: REFUSED,
        reason: "a lock file is no symbolic link, as with setlock: somebody else may have put it there",
    },
    // Closed fds.
    Difference {
        lines: &["chpst -0 state <&-", "chpst -1 state >&-"],
        theirs: REFUSED,
        ours: RAN,
        reason: "a closed fd is what was asked for",
    },
    Difference {
        lines: &["chpst -2 state 2>&-", "chpst -012 -l lock state <&- >&- 2>&-"],
        theirs: &["status 111"],
        ours: &["status 0"],
        reason: "a closed fd is what was asked for",
    },
    // Sessions.
    Difference {
        lines: &["pose group chpst -P state"],
        theirs: &["session *"],
        ours: &["session self"],
        reason: "a leader of a process group gets its session: theirs fails there, and says nothing",
    },
    // Limits.
    Difference {
        lines: &[
            "chpst -f '' state",
            "chpst -r '' state",
            "chpst -f \"$UNSET\" state",
            "chpst -r \"$UNSET\" state",
        ],
        theirs: RAN,
        ours: MISUSED,
        reason: "an empty number is a usage error, and no 0: it may be a variable that is not set",
    },
    Difference {
        lines: &[
            "chpst -f 18446744073709551616 state",
            "chpst -r 18446744073709551616 state",
            "chpst -f 18446744073709551620 state",
            "chpst -r 18446744073709551620 state",
            "chpst -f 99999999999999999999 state",
            "chpst -r 99999999999999999999 state",
        ],
        theirs: RAN,
        ours: MISUSED,
        reason: "a number that is too large is a usage error: theirs cuts it to 64 bits",
    },
    Difference {
        lines: &["chpst -f 9223372036854775808 state", "chpst -f 18446744073709551614 state"],
        theirs: &["limit RLIMIT_FSIZE *"],
        ours: &["limit RLIMIT_FSIZE *"],
        reason: "theirs takes a number of 64 bits for a negative one, and sets no limit",
    },
    Difference {
        lines: &["chpst -r 9223372036854775808 state", "chpst -r 18446744073709551614 state"],
        theirs: &["limit RLIMIT_RSS *"],
        ours: &["limit RLIMIT_RSS *"],
        reason: "theirs takes a number of 64 bits for a negative one, and sets no limit",
    },
];
