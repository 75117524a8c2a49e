//! System calls by name and number. The program under test may be of i386 beside tests of 64 bits: its calls have other
//! numbers.

use nix::libc::{self, c_long};

/// Those that tests look for or name: the name, the number here, and the numbers on i386. There the call of the same name
/// is another one than that of an id, a size or a time of more bits, which is meant as well.
const CALLS: [(&str, c_long, &[c_long]); 75] = [
    ("access", libc::SYS_access, &[33]),
    ("arch_prctl", libc::SYS_arch_prctl, &[384]),
    ("brk", libc::SYS_brk, &[45]),
    ("capget", libc::SYS_capget, &[184]),
    ("capset", libc::SYS_capset, &[185]),
    ("chdir", libc::SYS_chdir, &[12]),
    ("chroot", libc::SYS_chroot, &[61]),
    ("clock_nanosleep", libc::SYS_clock_nanosleep, &[267, 407]),
    ("close", libc::SYS_close, &[6]),
    ("connect", libc::SYS_connect, &[362]),
    ("dup2", libc::SYS_dup2, &[63]),
    ("execve", libc::SYS_execve, &[11]),
    ("exit_group", libc::SYS_exit_group, &[252]),
    ("faccessat2", libc::SYS_faccessat2, &[439]),
    ("fchdir", libc::SYS_fchdir, &[133]),
    ("fchmod", libc::SYS_fchmod, &[94]),
    ("fchownat", libc::SYS_fchownat, &[298]),
    ("fcntl", libc::SYS_fcntl, &[55, 221]),
    ("flock", libc::SYS_flock, &[143]),
    ("fstat", libc::SYS_fstat, &[108, 197]),
    ("ftruncate", libc::SYS_ftruncate, &[93, 194]),
    ("futex", libc::SYS_futex, &[240, 422]),
    ("getdents64", libc::SYS_getdents64, &[220]),
    ("getgroups", libc::SYS_getgroups, &[80, 205]),
    ("getpid", libc::SYS_getpid, &[20]),
    ("getpriority", libc::SYS_getpriority, &[96]),
    ("getrandom", libc::SYS_getrandom, &[355]),
    ("getresgid", libc::SYS_getresgid, &[171, 211]),
    ("getresuid", libc::SYS_getresuid, &[165, 209]),
    ("getsid", libc::SYS_getsid, &[147]),
    ("landlock_add_rule", libc::SYS_landlock_add_rule, &[445]),
    ("landlock_create_ruleset", libc::SYS_landlock_create_ruleset, &[444]),
    ("landlock_restrict_self", libc::SYS_landlock_restrict_self, &[446]),
    ("lseek", libc::SYS_lseek, &[19]),
    ("lstat", libc::SYS_lstat, &[107, 196]),
    ("madvise", libc::SYS_madvise, &[219]),
    ("mkdirat", libc::SYS_mkdirat, &[296]),
    ("mmap", libc::SYS_mmap, &[90, 192]),
    ("mprotect", libc::SYS_mprotect, &[125]),
    ("munmap", libc::SYS_munmap, &[91]),
    ("nanosleep", libc::SYS_nanosleep, &[162]),
    ("openat", libc::SYS_openat, &[295]),
    ("pause", libc::SYS_pause, &[29]),
    ("poll", libc::SYS_poll, &[168]),
    ("ppoll", libc::SYS_ppoll, &[309, 414]),
    ("prctl", libc::SYS_prctl, &[172]),
    ("pread64", libc::SYS_pread64, &[180]),
    ("prlimit64", libc::SYS_prlimit64, &[340]),
    ("pwrite64", libc::SYS_pwrite64, &[181]),
    ("read", libc::SYS_read, &[3]),
    ("readlink", libc::SYS_readlink, &[85]),
    ("readv", libc::SYS_readv, &[145]),
    ("renameat", libc::SYS_renameat, &[302]),
    ("restart_syscall", libc::SYS_restart_syscall, &[0]),
    ("rseq", libc::SYS_rseq, &[386]),
    ("rt_sigprocmask", libc::SYS_rt_sigprocmask, &[175]),
    ("rt_sigtimedwait", libc::SYS_rt_sigtimedwait, &[177, 421]),
    ("set_robust_list", libc::SYS_set_robust_list, &[311]),
    ("set_thread_area", libc::SYS_set_thread_area, &[243]),
    ("set_tid_address", libc::SYS_set_tid_address, &[258]),
    ("setgroups", libc::SYS_setgroups, &[81, 206]),
    ("setpgid", libc::SYS_setpgid, &[57]),
    ("setpriority", libc::SYS_setpriority, &[97]),
    ("setresgid", libc::SYS_setresgid, &[170, 210]),
    ("setresuid", libc::SYS_setresuid, &[164, 208]),
    ("setsid", libc::SYS_setsid, &[66]),
    ("socket", libc::SYS_socket, &[359]),
    ("stat", libc::SYS_stat, &[106, 195]),
    ("statfs", libc::SYS_statfs, &[99, 268]),
    ("statx", libc::SYS_statx, &[383]),
    ("tee", libc::SYS_tee, &[315]),
    ("umask", libc::SYS_umask, &[60]),
    ("wait4", libc::SYS_wait4, &[114]),
    ("write", libc::SYS_write, &[4]),
    ("writev", libc::SYS_writev, &[146]),
];

/// The number here of what has this number on i386.
pub(crate) fn of_i386(number: c_long) -> Option<c_long> {
    CALLS.iter().find(|(.., numbers)| numbers.contains(&number)).map(|(_, here, _)| *here)
}

/// A call that a program made, as `tests/programs/trace.rs` says it.
pub(crate) struct Call {
    /// Its name, or where it has none here the size of its registers and its number.
    pub(crate) name: String,
    /// The path of the program that it executed.
    pub(crate) executed: Option<String>,
}

impl Call {
    pub(crate) fn parse(line: &str) -> Self {
        let mut words = line.splitn(3, ' ');
        let [bits, number] = [words.next(), words.next()].map(Option::unwrap);
        let executed = words.next().map(str::to_owned);
        let number = number.parse().unwrap();
        let here = if bits == "32" { of_i386(number) } else { Some(number) };
        let named = CALLS.iter().find(|call| Some(call.1) == here);
        let name = named.map_or_else(|| format!("call {number} of {bits} bits"), |call| call.0.into());
        Self { name, executed }
    }
}
