//! A directory of service directories.

use std::collections::BTreeMap;

use common::identity::Identity;
use common::{Exit, OrFail, shown};
use nix::sys::stat::fstat;

use super::file::{Dir, Found, LEADS_NOWHERE};
use super::finding::{At, Findings};
use super::needs::Needs;
use super::script::{self, Kind};
use super::service::{self, c_string, names};
use super::{Checker, engine};
use crate::svtree::argument;

/// Whether a directory is one of service directories: it is none itself, and at least one in it is.
pub(super) fn is_tree(dir: &Dir) -> bool {
    !service::is_service(dir) && services(dir).any(|(_, service)| service::is_service(&service))
}

/// The directories in it, and those to which a link leads, whose names do not begin with a dot.
fn services(dir: &Dir) -> impl Iterator<Item = (Vec<u8>, Dir)> {
    let names = names(dir).into_iter().filter(|name| !name.starts_with(b"."));
    // What cannot be entered is no directory, or is said to be none elsewhere.
    names.filter_map(|name| Some((name.clone(), dir.enter(&c_string(&name)).ok()?)))
}

/// What a service is known by, as in svtree: its directory, and the argument in its name.
type Known = (Identity, Option<Vec<u8>>);

/// Looks at all services of a tree, at their needs, and at the tree's own scripts.
///
/// # Errors
/// Where this process cannot do its work.
pub(super) fn look(checker: &Checker, dir: &Dir, findings: &mut Findings) -> Result<(), Exit> {
    let mut needs = Needs::default();
    let mut first: BTreeMap<Known, Vec<u8>> = BTreeMap::new();
    for name in names(dir).into_iter().filter(|name| !name.starts_with(b".")) {
        let path = dir.at(&name);
        if matches!(dir.look(&c_string(&name)), Found::Other(what) if what == LEADS_NOWHERE) {
            let what = format!("it is {LEADS_NOWHERE}");
            findings.warning(At::file(&path), what, "remove it, or make what it leads to");
        }
    }
    for (name, service) in services(dir) {
        let stat = fstat(&service.fd).or_fail(format_args!("look at {}", shown(&service.path)))?;
        let key = (Identity::of(&stat), argument(&c_string(&name)).map(<[u8]>::to_vec));
        if let Some(other) = first.get(&key) {
            let what = format!("it is the same directory as {}, and hosted once", shown(other));
            findings.warning(At::file(&service.path), what, "remove one of them");
            continue;
        }
        first.insert(key, name.clone());
        let mut found = Findings::default();
        service::look(checker, &service, &mut found)?;
        findings.append(found);
        needs.add(&name, &service);
    }
    needs.report(findings);
    // Where it is not there, or not for us, there is nothing of it to look at.
    if let Ok(own) = dir.enter(common::supervise::TREE) {
        engine::look_at_tree(dir, findings)?;
        for name in [c"setup", c"finish"] {
            script::look(checker, &own, name, dir, Kind::Deed, findings);
        }
        if let Ok(log) = own.enter(c"log") {
            script::look(checker, &log, c"run", &log, Kind::Logger, findings);
        }
    }
    Ok(())
}
