//! Values in the order of their keys, as a list: what is behind a new one moves.

use std::borrow::Borrow;

/// One value for each key.
#[derive(Debug, Default)]
pub(super) struct Ordered<K, V>(Vec<(K, V)>);

impl<K: Copy + Ord, V: Copy> Ordered<K, V> {
    /// The value of a key.
    pub(super) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        Some(self.0[self.search(key).ok()?].1)
    }

    /// Gives a key this value. Returns whether it had none.
    pub(super) fn set(&mut self, key: K, value: V) -> bool {
        match self.search(&key) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => {
                self.0.insert(at, (key, value));
                return true;
            }
        }
        false
    }

    /// Forgets a key. Returns whether it had a value.
    pub(super) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        let found = self.search(key);
        if let Ok(at) = found {
            self.0.remove(at);
        }
        found.is_ok()
    }

    /// The first key behind this one, or of all, and its value.
    pub(super) fn after<Q: Ord + ?Sized>(&self, key: Option<&Q>) -> Option<(K, V)>
    where
        K: Borrow<Q>,
    {
        let from = key.map_or(0, |key| self.search(key).map_or_else(|at| at, |at| at + 1));
        self.0.get(from).copied()
    }

    /// All of them, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (K, V)> + '_ {
        self.0.iter().copied()
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Where a key is, or would be.
    fn search<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.0.binary_search_by(|(other, _)| other.borrow().cmp(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_the_last_value_and_its_place() {
        let mut ordered = Ordered::default();
        for (key, value, new) in [("b", 1, true), ("d", 2, true), ("a", 3, true), ("b", 4, false)] {
            assert_eq!(ordered.set(key, value), new, "{key}");
        }
        let all = |ordered: &Ordered<_, _>| ordered.iter().collect::<Vec<_>>();
        assert_eq!((all(&ordered), ordered.count()), (vec![("a", 3), ("b", 4), ("d", 2)], 3));
        assert_eq!((ordered.get("b"), ordered.get("c")), (Some(4), None));
        let after = |key| ordered.after::<str>(key);
        assert_eq!((after(None), after(Some("a"))), (Some(("a", 3)), Some(("b", 4))));
        assert_eq!((after(Some("c")), after(Some("d"))), (Some(("d", 2)), None));
        assert_eq!((ordered.remove("b"), ordered.remove("b")), (true, false));
        assert_eq!(all(&ordered), [("a", 3), ("d", 2)]);
    }
}
