//! The pages as HTML, as scripts/html makes them of man/: whole, valid, and without a link that leads nowhere.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use super::{pages, shown_in};
use crate::needs;
use crate::support::*;

/// Where a reference to a page that is not ours leads.
const ELSEWHERE: &str = "https://manpages.debian.org/";

/// The files that scripts/html makes, by their names.
static FILES: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let directory = tempfile::tempdir().unwrap();
    let outcome = run(prepared(house().join("scripts/html")).env("BUILD", directory.path()));
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    let entries =
        std::fs::read_dir(directory.path().join("html")).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.map(|path| {
        (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(path).unwrap())
    });
    files.collect()
});

fn file_of(page: &Path) -> String {
    format!("{}.html", page.file_name().unwrap().to_str().unwrap())
}

/// The values of an attribute.
fn values<'a>(html: &'a str, attribute: &str) -> Vec<&'a str> {
    let parts = html.split(attribute).skip(1).filter_map(|part| part.strip_prefix("=\"")?.split('"').next());
    parts.collect()
}

/// The text of a part of a page: words stand apart where an element ends a line or a cell.
fn text(html: &str) -> String {
    let mut text = String::new();
    let mut parts = html.split('<');
    text.push_str(parts.next().unwrap());
    for part in parts {
        let (tag, rest) = part.split_once('>').unwrap();
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        if !["a", "b", "code", "i", "span", "var"].contains(&name) {
            text.push(' ');
        }
        text.push_str(rest);
    }
    let mut plain = String::new();
    let mut parts = text.split('&');
    plain.push_str(parts.next().unwrap());
    for part in parts {
        let (entity, rest) = part.split_once(';').unwrap();
        plain.push(match entity {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            number => {
                let digits = number.strip_prefix("#x").unwrap_or_else(|| panic!("&{number};"));
                char::from_u32(u32::from_str_radix(digits, 16).unwrap()).unwrap()
            }
        });
        plain.push_str(rest);
    }
    plain
}

/// How many times a text has each of its words, for a terminal shows the columns of a table in another order. The dash behind
/// the name is of another length there, and items have marks that HTML leaves to the browser.
fn words(text: &str) -> BTreeMap<&str, usize> {
    let mut words = BTreeMap::new();
    for word in text.split_whitespace().filter(|word| !["-", "–", "—", "•"].contains(word)) {
        *words.entry(word).or_default() += 1;
    }
    words
}

fn without_number(line: &str) -> &str {
    let item = line.trim_start();
    match item.split_once(". ") {
        Some((number, rest)) if number.parse::<u32>().is_ok() => rest,
        _ => item,
    }
}

#[test]
fn each_page_has_a_file_and_a_row_of_the_index_with_its_own_words() {
    needs!(tool("mandoc"));
    let mut expected: Vec<String> = pages().iter().map(|page| file_of(page)).collect();
    expected.extend(["index.html".to_owned(), "style.css".to_owned()]);
    expected.sort();
    assert_eq!(FILES.keys().cloned().collect::<Vec<_>>(), expected);
    for page in pages() {
        let file = file_of(&page);
        let source = std::fs::read_to_string(&page).unwrap();
        let says = source.lines().find_map(|line| line.strip_prefix(".Nd ")).unwrap();
        let (name, section) = file.strip_suffix(".html").unwrap().rsplit_once('.').unwrap();
        let row = format!("<dt><a href=\"{file}\">{name}({section})</a></dt>\n<dd>{says}</dd>\n");
        assert_eq!(FILES["index.html"].matches(&row).count(), 1, "{row}");
    }
}

#[test]
fn each_link_leads_to_a_place_that_there_is() {
    needs!(tool("mandoc"));
    let mut elsewhere = 0;
    for (file, text) in FILES.iter().filter(|(file, _)| *file != "style.css") {
        let links = values(text, " href");
        assert!(links.len() > 5, "{file}");
        for link in links {
            if let Some(page) = link.strip_prefix(ELSEWHERE) {
                assert!(!FILES.contains_key(&format!("{page}.html")), "{file}: {link} is ours");
                elsewhere += 1;
                continue;
            }
            let (page, id) = link.split_once('#').map_or((link, None), |(page, id)| (page, Some(id)));
            let page = if page.is_empty() { file } else { page };
            let there = FILES.get(page).unwrap_or_else(|| panic!("{file}: {link}"));
            assert!(id.is_none_or(|id| values(there, " id").contains(&id)), "{file}: {link}");
        }
    }
    assert!(elsewhere > 100, "{elsewhere}");
}

#[test]
fn each_page_says_in_html_what_it_says_in_a_terminal() {
    needs!(tool("mandoc"));
    for page in pages() {
        let terminal = shown_in("utf8", &page, 1000);
        let lines: Vec<&str> = terminal.lines().filter(|line| !line.is_empty()).collect();
        let expected: Vec<&str> = lines[1..lines.len() - 1].iter().map(|line| without_number(line)).collect();
        let html = &FILES[&file_of(&page)];
        let html = html.split("<div class=\"manual-text\">").nth(1).unwrap();
        let html = html.split("<table class=\"foot\">").next().unwrap();
        let (html, expected) = (text(html), expected.join("\n"));
        let (html, mut expected) = (words(&html), words(&expected));
        let mut other = html.clone();
        other.retain(|word, count| expected.get(word) != Some(count));
        expected.retain(|word, count| html.get(word) != Some(count));
        assert_eq!(other, expected, "{}: words in HTML, and in a terminal", page.display());
    }
}

#[test]
fn each_page_is_valid_html_that_fits_a_narrow_screen_and_runs_nothing() {
    needs!(tool("mandoc"), tool("tidy"));
    let directory = tempfile::tempdir().unwrap();
    let page = directory.path().join("page.html");
    for (file, text) in FILES.iter().filter(|(file, _)| *file != "style.css") {
        std::fs::write(&page, text).unwrap();
        let tidy = run(prepared("tidy").args(["-q", "-e"]).arg(&page));
        assert_eq!(tidy, prints(""), "{file}");
        assert!(
            text.contains("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"),
            "{file}"
        );
        assert!(!text.contains("<script"), "{file}");
    }
}
