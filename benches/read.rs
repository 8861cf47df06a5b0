//! Statements per second of `sql::read`.
fn main() {}
