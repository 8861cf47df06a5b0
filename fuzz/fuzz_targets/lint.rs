//! Any text is judged: the one half as what came before, the other as the release. No panic, and every finding has a
//! place in its text; what a fix writes is read again.

#![no_main]

use std::collections::HashSet;

use libfuzzer_sys::fuzz_target;
use liftlock::{
    config::ProfileName,
    lint::{Request, fixes::amend, lint},
    migration::{self, Beside, MigrationId, SourceFile, layout::Layout},
    sql,
};

fuzz_target!(|texts: (&str, &str)| {
    let file = |name: &str, text: &str| SourceFile {
        path: name.into(),
        id: MigrationId(name.to_owned()),
        text: text.to_owned(),
    };
    let files = [file("20260101000000_history.sql", texts.0), file("20260102000000_judged.sql", texts.1)];
    let [history, judged] = files.clone().map(migration::read);
    let validation =
        lint(&Request { history: &[history], judged: &[judged.clone()], ..Request::of(ProfileName::Production) });
    for finding in &validation.findings {
        assert!(judged.text.get(finding.span.start..finding.span.end).is_some(), "{finding:?}");
        let Some(fix) = &finding.fix else { continue };
        if let Ok(amended) = amend::amend(&files, &files[1].id, &HashSet::new(), (Layout::default(), Beside::default()), fix) {
            sql::read(&amended.text);
            amended.added.iter().for_each(|it| drop(sql::read(&it.text)));
        }
    }
});
