use std::ffi::{CStr, CString};
use std::path::PathBuf;
use std::{env, fs, process};

use super::{Files, LookupError, Pieces};

/// A file of this content, until the end of the test.
struct Written(PathBuf, &'static CStr);

impl Written {
    fn new(name: &str, content: impl AsRef<[u8]>) -> Self {
        let path = env::temp_dir().join(format!("accounts-{name}-{}", process::id()));
        fs::write(&path, content).unwrap();
        let text = CString::new(path.to_str().unwrap()).unwrap();
        Self(path, Box::leak(text.into_boxed_c_str()))
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0); // what is left in a temporary directory does no harm
    }
}

fn lines(content: &[u8]) -> Vec<Vec<u8>> {
    let file = Written::new("lines", content);
    let mut lines = Pieces::of(file.1).unwrap();
    let mut all = Vec::new();
    while let Some(line) = lines.line().unwrap() {
        all.push(line.to_vec());
        assert_eq!(lines.count(), all.len() as u64);
    }
    assert_eq!(lines.line(), Ok(None));
    all
}

#[test]
fn a_line_is_whole_whatever_its_length_and_the_last_may_have_no_newline() {
    assert_eq!(lines(b""), [b""; 0]);
    assert_eq!(lines(b"\n"), [b""]);
    assert_eq!(lines(b"a\n\nb"), [&b"a"[..], b"", b"b"]);
    // Around the size of a piece, and of two.
    for length in (1020..1030).chain(2040..2056).chain([100_000]) {
        let long = vec![b'x'; length];
        assert_eq!(lines(&[&long[..], b"\nend"].concat()), [&long[..], b"end"], "{length}");
        assert_eq!(lines(&[&b"begin\n"[..], &long, b"\n"].concat()), [&b"begin"[..], &long], "{length}");
    }
    assert_eq!(Pieces::of(c"/no/such/file").unwrap().line(), Ok(None));
    assert!(Pieces::of(c"/").unwrap().line().is_err(), "a directory is no file without lines");
}

#[test]
fn the_first_line_of_a_name_decides() {
    let users = Written::new(
        "first",
        "a:x:1:2:g:/h:/s\na:x:3:4::/:/\nb:x:::::\nb:x:5:6::/:/\n::7:7::/:/\nc:x:7:7::/:/\n",
    );
    let files = Files { users: users.1, groups: users.1 };
    let user = files.user_by_name(c"a").unwrap().unwrap();
    assert_eq!((user.uid, user.gid, &*user.home, &*user.shell), (1, 2, c"/h", c"/s"));
    assert_eq!(files.user_by_name(c"b"), Err(LookupError::Line(users.1, 3)));
    assert_eq!(files.user_by_uid(5).unwrap().unwrap().name.as_c_str(), c"b");
    // Somebody may take the line without a name for the one of this id.
    assert_eq!(files.user_by_uid(7), Err(LookupError::Line(users.1, 5)));
    assert_eq!((files.user_by_name(c"d"), files.user_by_uid(9)), (Ok(None), Ok(None)));
}

#[test]
fn a_line_with_an_id_that_cannot_be_the_one_asked_for_is_in_nobodys_way() {
    let text = "nobody:x:-2:-2::/:/\nplus:x:+7:7::/:/\nlong:x:-18446744073709551608:8::/:/\n\
        short:x:-4294967287:9::/:/\nhuge:x:99999999999999999999:1::/:/\nlast:x:5:5::/:/\n";
    let users = Written::new("odd", text);
    let files = Files { users: users.1, groups: users.1 };
    assert_eq!(files.user_by_uid(5).unwrap().unwrap().name.as_c_str(), c"last");
    assert_eq!(files.user_by_uid(6), Ok(None));
    // These may: strtoul(3) takes the sign, and below zero counts back from the end of a long.
    for (uid, line) in [(4_294_967_294, 1), (7, 2), (8, 3), (9, 4)] {
        assert_eq!(files.user_by_uid(uid), Err(LookupError::Line(users.1, line)), "{uid}");
    }
    assert_eq!(files.user_by_name(c"nobody"), Err(LookupError::Line(users.1, 1)));
}

#[test]
fn what_is_not_well_formed_is_no_group_and_an_error_for_who_is_a_member() {
    let text = "# g: a\ng:x:5:a,b\nh:x::a\nk:x:+0:b\nm:x:6: c ,d\n+:::e\nn:x:7";
    let groups = Written::new("members", text);
    let files = Files { users: groups.1, groups: groups.1 };
    assert_eq!(files.groups_of(c"a", 9), Ok(vec![9, 5]));
    assert_eq!(files.groups_of(c"b", 9), Err(LookupError::Line(groups.1, 4)));
    assert_eq!(files.groups_of(c"c ", 9), Ok(vec![9, 6]));
    assert_eq!(files.groups_of(c"d", 6), Ok(vec![6, 6]));
    assert_eq!(files.groups_of(c"e", 9), Err(LookupError::Line(groups.1, 6)));
    assert_eq!(files.group_by_name(c"g"), Ok(Some(5)));
    for (name, line) in [(c"h", 3), (c"k", 4), (c"n", 7)] {
        assert_eq!(files.group_by_name(name), Err(LookupError::Line(groups.1, line)));
    }
    assert_eq!(files.group_by_name(c"# g"), Ok(None));
}
