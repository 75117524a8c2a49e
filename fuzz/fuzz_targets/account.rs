//! Accounts as setuidgid and envuidgid read them.
#![no_main]

use common::credentials::Spec;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    match Spec::parse(text) {
        Err(error) => {
            assert_eq!(error.status(), 100);
            assert!(!accepted(text), "refused: {text:?}");
        }
        Ok(spec) => {
            assert!(accepted(text), "accepted: {text:?}");
            assert_eq!(written(&spec), without_leading_zeros(text));
        }
    }
});

/// The grammar once more, by hand: one byte after the other, with what the field has so far.
fn accepted(text: &[u8]) -> bool {
    let numeric = text.first() == Some(&b':');
    let (mut fields, mut field) = (0, Vec::new());
    for byte in text[usize::from(numeric)..].iter().chain(b":") {
        if *byte != b':' {
            field.push(*byte);
            continue;
        }
        if field.is_empty() || field.contains(&0) || numeric && !is_id(&field) {
            return false;
        }
        fields += 1;
        field.clear();
    }
    !numeric || fields > 1
}

fn is_id(field: &[u8]) -> bool {
    let zeros = field.iter().take_while(|b| **b == b'0').count();
    let rest = &field[zeros..];
    field.iter().all(u8::is_ascii_digit) && (rest.len() < 10 || rest.len() == 10 && rest <= b"4294967294")
}

fn written(spec: &Spec) -> Vec<u8> {
    match spec {
        Spec::Names(name, groups) => {
            let fields: Vec<&[u8]> =
                std::iter::once(name).chain(groups).map(|field| field.to_bytes()).collect();
            assert!(fields.iter().all(|field| !field.is_empty()));
            fields.join(&b':')
        }
        Spec::Numbers(uid, gids) => {
            assert!(*uid != u32::MAX && !gids.is_empty() && !gids.contains(&u32::MAX));
            std::iter::once(uid).chain(gids).flat_map(|id| format!(":{id}").into_bytes()).collect()
        }
    }
}

fn without_leading_zeros(text: &[u8]) -> Vec<u8> {
    let Some(fields) = text.strip_prefix(b":") else { return text.to_vec() };
    let field = |field: &[u8]| {
        let zeros = field.iter().take_while(|b| **b == b'0').count().min(field.len() - 1);
        [b":", &field[zeros..]].concat()
    };
    fields.split(|b| *b == b':').flat_map(field).collect()
}
