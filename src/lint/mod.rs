//! `lint(migrations, catalog, profile)` → findings.
