//! The files to try for a program: what is in front of the first newline is the PATH, the rest its name.
#![no_main]

use std::ffi::{CStr, CString};

use common::exec::{directories, file_in};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(2, |b| *b == b'\n').map(CString::new);
    let (Some(Ok(path)), Some(Ok(program))) = (parts.next(), parts.next()) else { return };
    let mut room = Vec::new();
    let mut file = |directory| file_in(directory, &program, &mut room).to_owned();
    let files: Vec<CString> = directories(&program, &path).map(&mut file).collect();
    assert_eq!(files, expected(&program, &path));
    for file in &files {
        assert!(file.to_bytes().ends_with(program.to_bytes()));
        assert!(file.to_bytes().contains(&b'/'));
    }
});

fn expected(program: &CStr, path: &CStr) -> Vec<CString> {
    let name = program.to_bytes();
    if name.is_empty() {
        return Vec::new();
    }
    if name.contains(&b'/') {
        return vec![program.to_owned()];
    }
    let mut files = vec![Vec::new()];
    for byte in path.to_bytes() {
        match byte {
            b':' => files.push(Vec::new()),
            byte => files.last_mut().unwrap().push(*byte),
        }
    }
    let file = |mut directory: Vec<u8>| {
        if directory.is_empty() {
            directory.push(b'.');
        }
        CString::new([&directory, &b"/"[..], name].concat()).unwrap()
    };
    files.into_iter().map(file).collect()
}
