//! Any text is read: no panic, and every statement has a place in it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use liftlock::sql;

fuzz_target!(|text: &str| {
    let mut end = 0;
    for statement in sql::read(text) {
        assert!(text.get(statement.span.start..statement.span.end).is_some(), "{:?}", statement.span);
        assert!(end <= statement.span.start, "{:?} begins before {end}", statement.span);
        end = statement.span.end;
        for inner in statement.walk() {
            assert!(text.get(inner.span.start..inner.span.end).is_some(), "{:?}", inner.span);
        }
    }
});
