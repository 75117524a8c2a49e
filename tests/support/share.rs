//! The part that this run has of what is enumerated.

use std::sync::LazyLock;

/// Which of how many parts: `CATENA_SHARE=1/3` is the first of three. Each build that is tested has another one of the cases
/// of an enumeration by hundreds, which take most of the time, and all of everything else; without it there is one part.
static SHARE: LazyLock<(usize, usize)> = LazyLock::new(|| {
    let Ok(share) = std::env::var("CATENA_SHARE") else { return (0, 1) };
    let numbers =
        share.split_once('/').and_then(|(part, parts)| Some((part.parse().ok()?, parts.parse().ok()?)));
    let Some((part @ 1.., parts)) = numbers.filter(|(part, parts)| part <= parts) else {
        panic!("CATENA_SHARE={share}: no part, as 1/3")
    };
    (part - 1, parts)
});

/// Whether the case in this place is one of this run's.
pub(crate) fn is_of_share(place: usize) -> bool {
    place % SHARE.1 == SHARE.0
}

/// Those cases that are this run's.
pub(crate) fn share<T>(cases: impl IntoIterator<Item = T>) -> impl Iterator<Item = T> {
    cases.into_iter().enumerate().filter(|(place, _)| is_of_share(*place)).map(|(_, case)| case)
}

/// How many cases there are about in all, where this run has so many.
pub(crate) fn of_all(cases: usize) -> usize {
    cases * SHARE.1
}
