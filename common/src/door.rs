//! The one door through which files are opened in directories that others may own or write to: state, service
//! and log directories.
//!
//! Their owner may put anything by any name, at any moment. So no symbolic link is followed, no open waits (a
//! FIFO has no other end, a lease is held), nothing becomes our controlling terminal, and what was opened is
//! looked at before it is used: its kind, and that this is its only name, since a hard link is a way to a file
//! elsewhere. A file that is not as it has to be is an error that a missing file never gives: ELOOP for a link,
//! EEXIST for another kind or a second name, EPERM for another owner.

use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat, fstatat, mkdirat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchdir, fchown, fchownat, geteuid, mkfifoat, read, unlinkat};

use crate::identity::same;
use crate::sys::{poll, socket};
use crate::text::Text;
use crate::{fds, procfs};

/// For how long a place in the queue of a socket is waited for, and how many milliseconds between two looks.
const QUEUES: Duration = Duration::from_secs(1);
const PAUSE: u64 = 1;

/// Whose a file has to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Owner {
    /// Anybody's: an account that may write into the directory may say what is in it.
    Any,
    /// Ours, and writable by nobody else: what it says is believed.
    Us,
}

/// Opens what is there, a regular file. `access` is what open(2) calls the access mode, and `O_APPEND`;
/// truncate what was opened, never by opening it.
///
/// # Errors
/// As open(2); ELOOP, EEXIST, EPERM as said above.
pub fn file(directory: BorrowedFd, name: &CStr, access: OFlag, owner: Owner) -> nix::Result<OwnedFd> {
    open(directory, name, access, Mode::empty(), SFlag::S_IFREG, owner)
}

/// Opens for reading a regular file that has these two names and no other, both in `directory`: it is on its way from
/// one to the other, as what multilog rotates.
///
/// # Errors
/// As [`file()`]; ENOENT also where it has one of them only.
pub fn file_between(directory: BorrowedFd, name: &CStr, other: &CStr) -> nix::Result<OwnedFd> {
    let (file, stat) = open_safely(directory, name, OFlag::O_RDONLY, Mode::empty())?;
    let there = entry(directory, other)?.ok_or(Errno::ENOENT)?;
    match stat.st_nlink {
        _ if !fds::is(&stat, SFlag::S_IFREG) => Err(Errno::EEXIST),
        0 | 1 => Err(Errno::ENOENT),
        2 if same(&there, &stat) => Ok(file),
        _ => Err(Errno::EEXIST),
    }
}

/// As [`file()`], and makes the file with `mode`, less the umask, if there is none.
///
/// # Errors
/// As [`file()`].
pub fn file_or_new(
    directory: BorrowedFd,
    name: &CStr,
    access: OFlag,
    mode: u32,
    owner: Owner,
) -> nix::Result<OwnedFd> {
    seen_file_or_new(directory, name, access, mode, owner).map(|(file, _)| file)
}

/// As [`file_or_new`], with what was seen of the file as it was looked at.
///
/// # Errors
/// As [`file()`].
pub fn seen_file_or_new(
    directory: BorrowedFd,
    name: &CStr,
    access: OFlag,
    mode: u32,
    owner: Owner,
) -> nix::Result<(OwnedFd, FileStat)> {
    let mode = Mode::from_bits_truncate(mode);
    open_and_look(directory, name, access | OFlag::O_CREAT, mode, SFlag::S_IFREG, owner)
}

/// As [`file()`], likewise.
///
/// # Errors
/// As [`file()`].
pub fn seen_file(
    directory: BorrowedFd,
    name: &CStr,
    access: OFlag,
    owner: Owner,
) -> nix::Result<(OwnedFd, FileStat)> {
    open_and_look(directory, name, access, Mode::empty(), SFlag::S_IFREG, owner)
}

/// Makes a new file, for writing, in the place of whatever has that name: a link is removed, not followed.
///
/// # Errors
/// As open(2) and unlink(2).
pub fn new_file(directory: BorrowedFd, name: &CStr, mode: u32) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mode = Mode::from_bits_truncate(mode);
    match fds::open(directory, name, flags, mode) {
        Err(Errno::EEXIST) => {
            unlinkat(directory, name, UnlinkatFlags::NoRemoveDir)?;
            fds::open(directory, name, flags, mode)
        }
        other => other,
    }
}

/// Reads a file from its beginning, as far as `buffer` goes: one that fills it may be longer.
///
/// # Errors
/// As [`file()`] and read(2).
pub fn read_file<'a>(
    directory: BorrowedFd,
    name: &CStr,
    owner: Owner,
    buffer: &'a mut [u8],
) -> nix::Result<&'a [u8]> {
    let file = file(directory, name, OFlag::O_RDONLY, owner)?;
    let mut length = 0;
    while length < buffer.len() {
        match read(&file, &mut buffer[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(&buffer[..length])
}

/// Opens a FIFO, without waiting for its other end.
///
/// # Errors
/// As [`file()`]; ENXIO for `O_WRONLY` where nobody reads.
pub fn fifo(directory: BorrowedFd, name: &CStr, access: OFlag, owner: Owner) -> nix::Result<OwnedFd> {
    open(directory, name, access, Mode::empty(), SFlag::S_IFIFO, owner)
}

/// As [`fifo`], and makes the FIFO if there is none. With `mode`, and so one that was there and has to be ours.
///
/// # Errors
/// As [`fifo`] and mkfifo(3).
pub fn fifo_or_new(
    directory: BorrowedFd,
    name: &CStr,
    access: OFlag,
    mode: u32,
    owner: Owner,
) -> nix::Result<OwnedFd> {
    let mode = Mode::from_bits_truncate(mode);
    let made = match mkfifoat(directory, name, mode) {
        Ok(()) => true,
        Err(Errno::EEXIST) => false,
        Err(errno) => return Err(errno),
    };
    let owner = if made { Owner::Us } else { owner };
    let (fifo, stat) = open_and_look(directory, name, access, Mode::empty(), SFlag::S_IFIFO, owner)?;
    if owner == Owner::Us && stat.st_mode & 0o7777 != mode.bits() {
        // The umask has taken something from it. By the fd: the name may be another file's by now.
        fchmod(&fifo, mode)?;
    }
    Ok(fifo)
}

/// Opens a directory that nobody else can reach into, mode 0700, and makes it if there is none. One that has
/// come to another owner, or is open to others, is taken back: a right to what is in it is looked for whenever
/// a name is used, so it is of no use to have kept it open.
///
/// # Errors
/// As open(2), mkdir(2) and chown(2).
pub fn own_directory(parent: BorrowedFd, name: &CStr) -> nix::Result<OwnedFd> {
    let mode = Mode::from_bits_truncate(0o700);
    match mkdirat(parent, name, mode) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(errno) => return Err(errno),
    }
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let directory = fds::open(parent, name, flags, Mode::empty())?;
    let stat = fstat(&directory)?;
    if stat.st_uid != us() {
        fchown(&directory, Some(Uid::from_raw(us())), None)?;
    }
    if stat.st_mode & 0o7777 != mode.bits() {
        fchmod(&directory, mode)?;
    }
    Ok(directory)
}

/// Opens a directory to which a link may lead, if that is ours or root's: whom else it belongs to could choose where we
/// write.
///
/// # Errors
/// As open(2); ELOOP where the link is another's.
pub fn directory(parent: BorrowedFd, name: &CStr) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    match fds::open(parent, name, flags, Mode::empty()) {
        Err(Errno::ENOTDIR | Errno::ELOOP) => {}
        other => return other,
    }
    let link = fstatat(parent, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    if fds::is(&link, SFlag::S_IFLNK) && link.st_uid != us() && link.st_uid != 0 {
        return Err(Errno::ELOOP);
    }
    fds::open_directory(parent, name)
}

/// Gives a socket that we have just bound to an account, a group or both. Its mode is as it was bound.
///
/// # Errors
/// As [`file()`] and chown(2).
pub fn give_socket(
    directory: BorrowedFd,
    name: &CStr,
    (user, group): (Option<Uid>, Option<Gid>),
) -> nix::Result<()> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let socket = fds::open(directory, name, flags, Mode::empty())?;
    look(&fstat(&socket)?, SFlag::S_IFSOCK, Owner::Us)?;
    fchownat(&socket, c"", user, group, AtFlags::AT_EMPTY_PATH)
}

/// Opens by `open` what has this name; where that is not as it has to be, it is removed, and `open` called once
/// more, to make a new one. A directory stays, and the error with it.
///
/// # Errors
/// As `open`.
pub fn replacing<T>(directory: BorrowedFd, name: &CStr, open: impl Fn() -> nix::Result<T>) -> nix::Result<T> {
    let errno = match open() {
        Err(errno) if is_other(errno) => errno,
        other => return other,
    };
    unlinkat(directory, name, UnlinkatFlags::NoRemoveDir).map_err(|_| errno)?;
    open()
}

/// Whether an error of this module says that something else has the name: a link, another kind, another
/// owner, a socket, a directory, a file on which a lease is held.
fn is_other(errno: Errno) -> bool {
    use Errno::{EACCES, EAGAIN, EEXIST, EISDIR, ELOOP, ENOTDIR, ENXIO, EPERM};
    matches!(errno, ELOOP | EEXIST | EPERM | EACCES | ENXIO | ENOTDIR | EISDIR | EAGAIN)
}

/// Connects to a socket of streams. An address takes 107 bytes, and the path of a directory may have more: the
/// kernel is given what was looked at, by way of /proc. Where that is not mounted, it is given the name, which may
/// lead elsewhere by then, and this process is in `directory` meanwhile.
///
/// Others may keep its queue full, and get each place that becomes free in turn: it is tried again for [`QUEUES`].
///
/// # Errors
/// As [`file()`], connect(2) and fchdir(2).
pub fn socket(directory: BorrowedFd, name: &CStr) -> nix::Result<OwnedFd> {
    let begin = Instant::now();
    loop {
        match connected(directory, name) {
            Err(Errno::EAGAIN) if begin.elapsed() < QUEUES => {
                poll::poll(&mut [], Some(PAUSE))?; // an interruption only ends it earlier
            }
            other => return other,
        }
    }
}

/// As [`socket()`], at once, to send datagrams: EPROTOTYPE where it is there, but not one for these, and ECONNREFUSED
/// where nobody has it any more. Whoever has it hears nothing of this.
///
/// # Errors
/// As [`socket()`].
pub fn reach(directory: BorrowedFd, name: &CStr) -> nix::Result<OwnedFd> {
    connected_by(directory, name, socket::connect_datagrams)
}

fn connected(directory: BorrowedFd, name: &CStr) -> nix::Result<OwnedFd> {
    connected_by(directory, name, socket::connect)
}

fn connected_by(
    directory: BorrowedFd,
    name: &CStr,
    connect: fn(&[u8]) -> nix::Result<OwnedFd>,
) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let found = fds::open(directory, name, flags, Mode::empty())?;
    look(&fstat(found.as_fd())?, SFlag::S_IFSOCK, Owner::Any)?;
    if procfs::is_own() == Ok(true) {
        let mut by_fd = Text::<32>::of("/proc/self/fd/");
        return connect(by_fd.number(found.as_raw_fd().unsigned_abs()).bytes());
    }
    inside(directory, || connect(name.to_bytes()))
}

/// Listens at a new socket of streams, `name` in a directory, whose file gets `mode`, and this group. Nobody gets
/// through before that: until then the group of the file is another, which the mode is not meant for.
///
/// # Errors
/// As [`file()`], bind(2), listen(2) and chown(2).
pub fn listen(directory: BorrowedFd, name: &CStr, (mode, group): (u32, Option<Gid>)) -> nix::Result<OwnedFd> {
    let socket = bound(directory, name, mode)?;
    if let Some(group) = group {
        give_socket(directory, name, (None, Some(group)))?;
    }
    socket::listen(socket.as_fd())?;
    Ok(socket)
}

/// An address has no room for a long path: the directory is reached by way of /proc, or where that is not mounted by
/// being the current directory for the moment of the call.
fn bound(directory: BorrowedFd, name: &CStr, mode: u32) -> nix::Result<OwnedFd> {
    if procfs::is_own() == Ok(true) {
        let mut path = Text::<96>::of("/proc/self/fd/");
        path.number(directory.as_raw_fd().unsigned_abs()).add("/").add(name.to_bytes());
        return socket::stream(path.bytes(), mode);
    }
    inside(directory, || socket::stream(name.to_bytes(), mode))
}

/// Does something with `directory` as the current one, and comes back from it.
fn inside<T>(directory: BorrowedFd, act: impl FnOnce() -> nix::Result<T>) -> nix::Result<T> {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let back = fds::open(AT_FDCWD, c".", flags, Mode::empty())?;
    fchdir(directory)?;
    let done = act();
    fchdir(back)?;
    done
}

fn open(
    directory: BorrowedFd,
    name: &CStr,
    access: OFlag,
    mode: Mode,
    kind: SFlag,
    owner: Owner,
) -> nix::Result<OwnedFd> {
    open_and_look(directory, name, access, mode, kind, owner).map(|(file, _)| file)
}

fn open_and_look(
    directory: BorrowedFd,
    name: &CStr,
    access: OFlag,
    mode: Mode,
    kind: SFlag,
    owner: Owner,
) -> nix::Result<(OwnedFd, FileStat)> {
    let (file, stat) = open_safely(directory, name, access, mode)?;
    look(&stat, kind, owner)?;
    Ok((file, stat))
}

/// Opens whatever it is, without following a link and without waiting, to be looked at before it is used.
fn open_safely(
    directory: BorrowedFd,
    name: &CStr,
    access: OFlag,
    mode: Mode,
) -> nix::Result<(OwnedFd, FileStat)> {
    let safe = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let file = fds::open(directory, name, access | safe, mode)?;
    let stat = fstat(file.as_fd())?;
    Ok((file, stat))
}

/// Our effective user. Asked for each time: links in one process may change it.
#[must_use]
pub fn us() -> u32 {
    geteuid().as_raw()
}

/// What has this name in a directory, a link as itself; `None` where nothing has.
///
/// # Errors
/// As fstatat(2).
pub fn entry(directory: impl AsFd, name: &CStr) -> nix::Result<Option<FileStat>> {
    match fstatat(directory, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::ENOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Whether a file is what it has to be.
///
/// # Errors
/// EEXIST for another kind or a second name, EPERM for another owner or one that others may write to.
pub fn look(stat: &FileStat, kind: SFlag, owner: Owner) -> nix::Result<()> {
    if !fds::is(stat, kind) || stat.st_nlink > 1 {
        return Err(Errno::EEXIST);
    }
    let others_write = kind == SFlag::S_IFREG && stat.st_mode & 0o022 != 0;
    if owner == Owner::Us && (stat.st_uid != us() || others_write) {
        return Err(Errno::EPERM);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    fn directory() -> (tempfile::TempDir, OwnedFd) {
        let path = tempfile::tempdir().unwrap();
        let fd = fs::File::open(path.path()).unwrap().into();
        (path, fd)
    }

    #[test]
    fn a_place_in_the_queue_of_a_socket_is_waited_for() {
        let (path, fd) = directory();
        let group = Gid::from_raw(fs::metadata(path.path()).unwrap().gid());
        let listener = listen(fd.as_fd(), c"s", (0o660, Some(group))).unwrap();
        let mut queue = Vec::new();
        while let Ok(client) = connected(fd.as_fd(), c"s") {
            queue.push(client);
        }
        let begin = Instant::now();
        assert_eq!(socket(fd.as_fd(), c"s").map(drop), Err(Errno::EAGAIN), "nobody is let in");
        assert!(begin.elapsed() >= QUEUES);
        std::thread::scope(|scope| {
            scope.spawn(|| crate::sys::socket::accept(listener.as_fd()).unwrap());
            assert!(socket(fd.as_fd(), c"s").is_ok());
        });
    }

    #[test]
    fn nobody_can_connect_to_a_socket_before_it_is_given_to_its_group() {
        let (path, fd) = directory();
        let bound = bound(fd.as_fd(), c"s", 0o660).unwrap();
        assert_eq!(connected(fd.as_fd(), c"s").map(drop), Err(Errno::ECONNREFUSED));
        crate::sys::socket::listen(bound.as_fd()).unwrap();
        assert!(connected(fd.as_fd(), c"s").is_ok());
        assert_eq!(fs::metadata(path.path().join("s")).unwrap().permissions().mode() & 0o777, 0o660);
    }

    #[test]
    fn nothing_but_a_regular_file_with_one_name_is_a_file() {
        let (path, fd) = directory();
        let open = || file(fd.as_fd(), c"f", OFlag::O_RDWR, Owner::Any).map(drop);
        let name = path.path().join("f");
        assert_eq!(open(), Err(Errno::ENOENT));
        fs::write(&name, "text").unwrap();
        assert_eq!(open(), Ok(()));
        fs::hard_link(&name, path.path().join("second")).unwrap();
        assert_eq!(open(), Err(Errno::EEXIST));
        fs::remove_file(&name).unwrap();
        symlink("second", &name).unwrap();
        assert_eq!(open(), Err(Errno::ELOOP));
        fs::remove_file(&name).unwrap();
        mkfifoat(&fd, c"f", Mode::from_bits_truncate(0o600)).unwrap();
        assert_eq!(open(), Err(Errno::EEXIST));
    }

    #[test]
    fn a_file_with_two_names_is_one_where_both_are_here() {
        let (path, fd) = directory();
        let open = || file_between(fd.as_fd(), c"f", c"g").map(drop);
        let at = |name: &str| path.path().join(name);
        fs::write(at("f"), "text").unwrap();
        assert_eq!(open(), Err(Errno::ENOENT));
        fs::hard_link(at("f"), at("g")).unwrap();
        assert_eq!(open(), Ok(()));
        fs::hard_link(at("f"), at("elsewhere")).unwrap();
        assert_eq!(open(), Err(Errno::EEXIST));
        fs::remove_file(at("g")).unwrap();
        fs::write(at("g"), "").unwrap();
        assert_eq!(open(), Err(Errno::EEXIST), "its second name is another one");
        fs::remove_file(at("f")).unwrap();
        assert_eq!(open(), Err(Errno::ENOENT));
        symlink("g", at("f")).unwrap();
        assert_eq!(open(), Err(Errno::ELOOP));
    }

    #[test]
    fn a_new_file_takes_the_place_of_a_link_and_leaves_its_target() {
        let (path, fd) = directory();
        fs::write(path.path().join("target"), "kept").unwrap();
        symlink("target", path.path().join("f")).unwrap();
        let file = new_file(fd.as_fd(), c"f", 0o600).unwrap();
        nix::unistd::write(&file, b"new").unwrap();
        assert_eq!(fs::read_to_string(path.path().join("target")).unwrap(), "kept");
        assert_eq!(fs::read_to_string(path.path().join("f")).unwrap(), "new");
    }

    #[test]
    fn what_is_believed_may_be_written_by_nobody_else() {
        let (path, fd) = directory();
        let read = || read_file(fd.as_fd(), c"f", Owner::Us, &mut [0; 2]).map(<[u8]>::to_vec);
        let name = path.path().join("f");
        fs::write(&name, "text").unwrap();
        // A test beside this one that binds a socket has the umask 0 for a moment.
        fs::set_permissions(&name, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(read(), Ok(b"te".to_vec()));
        fs::set_permissions(&name, fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(read(), Err(Errno::EPERM));
    }

    #[test]
    fn a_fifo_is_opened_without_waiting_and_has_the_mode_that_was_asked_for() {
        let (path, fd) = directory();
        let made = fifo_or_new(fd.as_fd(), c"f", OFlag::O_RDONLY, 0o622, Owner::Us).unwrap();
        assert_eq!(fstat(&made).unwrap().st_mode & 0o777, 0o622);
        drop(made);
        assert!(matches!(fifo(fd.as_fd(), c"f", OFlag::O_WRONLY, Owner::Any), Err(Errno::ENXIO)));
        fs::write(path.path().join("g"), "").unwrap();
        let taken = fifo_or_new(fd.as_fd(), c"g", OFlag::O_RDONLY, 0o622, Owner::Any);
        assert!(matches!(taken, Err(Errno::EEXIST)));
    }

    #[test]
    fn what_is_not_as_it_has_to_be_is_replaced_but_no_directory() {
        let (path, fd) = directory();
        let name = path.path().join("f");
        let open = || {
            let open = || fifo_or_new(fd.as_fd(), c"f", OFlag::O_RDWR, 0o600, Owner::Us);
            replacing(fd.as_fd(), c"f", open).map(drop)
        };
        fs::write(path.path().join("target"), "kept").unwrap();
        symlink("target", &name).unwrap();
        assert_eq!(open(), Ok(()));
        fs::remove_file(&name).unwrap();
        fs::hard_link(path.path().join("target"), &name).unwrap();
        assert_eq!(open(), Ok(()));
        fs::remove_file(&name).unwrap();
        drop(std::os::unix::net::UnixListener::bind(&name).unwrap());
        assert_eq!(open(), Ok(()));
        fs::remove_file(&name).unwrap();
        fs::create_dir(&name).unwrap();
        assert_eq!(open(), Err(Errno::EISDIR));
        assert_eq!(fs::read_to_string(path.path().join("target")).unwrap(), "kept");
    }

    #[test]
    fn a_socket_is_bound_and_reached_in_a_directory_whose_path_is_too_long_for_an_address() {
        let (path, _) = directory();
        let deep = path.path().join("d".repeat(120));
        fs::create_dir(&deep).unwrap();
        let fd = fs::File::open(&deep).unwrap();
        let current = std::env::current_dir().unwrap();
        let listening = listen(fd.as_fd(), c"s", (0o600, None)).unwrap();
        assert_eq!(fs::symlink_metadata(deep.join("s")).unwrap().permissions().mode() & 0o7777, 0o600);
        socket(fd.as_fd(), c"s").unwrap();
        crate::socket::accept(listening.as_fd()).unwrap();
        assert_eq!(std::env::current_dir().unwrap(), current);
    }

    #[test]
    fn an_own_directory_is_closed_to_others() {
        let (path, fd) = directory();
        let name = path.path().join("d");
        let open = || replacing(fd.as_fd(), c"d", || own_directory(fd.as_fd(), c"d")).map(drop);
        let mode = || fs::symlink_metadata(&name).unwrap().permissions().mode() & 0o7777;
        assert_eq!((open(), mode()), (Ok(()), 0o700));
        fs::set_permissions(&name, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!((open(), mode()), (Ok(()), 0o700));
        fs::remove_dir(&name).unwrap();
        symlink(".", &name).unwrap();
        assert_eq!((open(), mode()), (Ok(()), 0o700));
        assert_ne!(fs::metadata(path.path()).unwrap().permissions().mode() & 0o7777, 0);
    }
}
