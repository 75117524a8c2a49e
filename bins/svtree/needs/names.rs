//! The names that services have, or that one needs.

use std::ops::{Index, IndexMut};

use super::step;

/// A name.
#[derive(Clone, Debug, Default)]
pub(super) struct Name {
    pub(super) text: Box<[u8]>,
    /// The service of that name.
    pub(super) holder: Option<usize>,
    /// The services that need it, in the order of slots.
    pub(super) needed_by: Vec<usize>,
}

/// The names, each at a place that stays the same as long as it is in use.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    places: Vec<Name>,
    /// The places that are in use, in the order of names.
    in_order: Vec<usize>,
    /// The places that are not in use.
    free: Vec<usize>,
}

impl Names {
    /// The place of a name that is in use.
    pub(super) fn find(&self, text: &[u8]) -> Option<usize> {
        Some(self.in_order[self.search(text).ok()?])
    }

    /// The place of a name, which is in use from now on.
    pub(super) fn intern(&mut self, text: &[u8]) -> usize {
        let at = match self.search(text) {
            Ok(at) => return self.in_order[at],
            Err(at) => at,
        };
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(Name::default());
            self.places.len() - 1
        });
        self.places[place].text = text.into();
        self.in_order.insert(at, place);
        place
    }

    /// Forgets a name, if no service has it and none needs it.
    pub(super) fn release(&mut self, place: usize) {
        let name = &self.places[place];
        if name.holder.is_some() || !name.needed_by.is_empty() {
            return;
        }
        if let Ok(at) = self.search(&name.text) {
            self.in_order.remove(at);
            self.places[place] = Name::default();
            self.free.push(place);
        }
    }

    /// The places in the order of names.
    pub(super) fn in_order(&self) -> impl Iterator<Item = usize> {
        self.in_order.iter().copied()
    }

    /// How many places there are, in use or not.
    #[cfg(test)]
    pub(super) fn places(&self) -> usize {
        self.places.len()
    }

    /// Where a name is in the order, or would be.
    fn search(&self, text: &[u8]) -> Result<usize, usize> {
        self.in_order.binary_search_by(|&place| {
            step();
            (*self.places[place].text).cmp(text)
        })
    }
}

impl Index<usize> for Names {
    type Output = Name;

    fn index(&self, place: usize) -> &Name {
        &self.places[place]
    }
}

impl IndexMut<usize> for Names {
    fn index_mut(&mut self, place: usize) -> &mut Name {
        &mut self.places[place]
    }
}
