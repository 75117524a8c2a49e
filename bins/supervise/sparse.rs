//! A value that hardly any service has.

use std::ops::Deref;

/// What a value is where nobody has given another.
pub(super) trait Usual: 'static {
    /// The usual value.
    const USUAL: &'static Self;
}

/// A value that is the usual one of nearly all services: it takes memory from the first change on, which is kept for
/// the next.
#[derive(Debug)]
pub(super) struct Sparse<T>(Option<Box<T>>);

impl<T> Default for Sparse<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Usual> Deref for Sparse<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or(T::USUAL)
    }
}

impl<T: Usual + Copy + PartialEq> Sparse<T> {
    /// Changes it.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut T)) {
        let mut new = **self;
        change(&mut new);
        if new == **self {
            return;
        }
        match &mut self.0 {
            Some(value) => **value = new,
            None => self.0 = Some(Box::new(new)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Usual for u32 {
        const USUAL: &'static Self = &7;
    }

    #[test]
    fn the_usual_value_takes_no_memory() {
        let mut value = Sparse::<u32>::default();
        value.change(|value| *value = 7);
        assert!(value.0.is_none() && *value == 7);
        value.change(|value| *value = 8);
        assert_eq!(*value, 8);
        value.change(|value| *value = 7);
        assert!(value.0.is_some() && *value == 7);
    }
}
