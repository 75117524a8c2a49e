//! Vectors of C strings, as argv and environ are.

use std::ffi::{CStr, c_char};
use std::ptr;

/// A vector of C strings that ends in a null pointer and lives as long as the process, as argv and envp do.
#[derive(Clone, Debug)]
pub struct Words {
    next: *const *const c_char,
}

impl Words {
    /// The vector at `first`.
    ///
    /// # Safety
    /// It must end in a null pointer, and neither it nor its strings may change or go while the process
    /// lives.
    #[must_use]
    pub unsafe fn new(first: *const *const c_char) -> Self {
        Self { next: first }
    }

    /// The first word, which stays where it is.
    #[must_use]
    pub fn first(&self) -> Option<&'static CStr> {
        self.clone().next()
    }

    /// What follows `name` and `=` in the first word that begins so. Of the others, of which there may be many, no more is
    /// read than differs.
    pub(crate) fn value_of(&self, name: &CStr) -> Option<&'static CStr> {
        let name = name.to_bytes();
        let mut next = self.next;
        loop {
            // SAFETY: by the contract of `new` the pointer is inside the vector: the loop ends at the null at its end.
            let word = unsafe { *next };
            if word.is_null() {
                return None;
            }
            // SAFETY: the string ends in a NUL, which is no byte of a name: so no byte behind it is read.
            let byte = |i: usize| unsafe { *word.add(i).cast::<u8>() };
            if name.iter().enumerate().all(|(i, expected)| byte(i) == *expected) && byte(name.len()) == b'=' {
                // SAFETY: the string goes on behind the `=`, and lives as long as the process.
                return Some(unsafe { CStr::from_ptr(word.add(name.len() + 1)) });
            }
            // SAFETY: this was not the null, so one more entry follows.
            next = unsafe { next.add(1) };
        }
    }

    /// The words behind the first.
    #[must_use]
    pub fn behind_first(mut self) -> Self {
        self.next();
        self
    }

    pub(crate) fn as_ptr(&self) -> *const *const c_char {
        self.next
    }
}

impl Iterator for Words {
    type Item = &'static CStr;

    fn next(&mut self) -> Option<&'static CStr> {
        // SAFETY: by the contract of `new` the pointer is inside the vector: it never passes the null at
        // its end.
        let word = unsafe { *self.next };
        if word.is_null() {
            return None;
        }
        // SAFETY: as above; this was not the null, so one more entry follows.
        self.next = unsafe { self.next.add(1) };
        // SAFETY: by the contract of `new` the string ends in a NUL and lives as long as the process.
        Some(unsafe { CStr::from_ptr(word) })
    }
}

impl FromIterator<&'static CStr> for Words {
    /// Gives up the memory of the vector: it is for the exec that follows.
    fn from_iter<I: IntoIterator<Item = &'static CStr>>(words: I) -> Self {
        let pointers: Vec<_> = words.into_iter().map(CStr::as_ptr).chain([ptr::null()]).collect();
        Self { next: pointers.leak().as_ptr() }
    }
}
