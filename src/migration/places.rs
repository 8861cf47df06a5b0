//! Folders by their names: where migrations lie in most projects, and where they hardly do.

/// Where migrations usually lie.
pub const USUAL: [&str; 12] = [
    "db/migrations",
    "migrations",
    "prisma/migrations",
    "supabase/migrations",
    "drizzle",
    "sql/migrations",
    "db/migrate",
    "database/migrations",
    "schema/migrations",
    "src/migrations",
    "src/main/resources/db/migration",
    "sql",
];

/// Folders whose `.sql` files are hardly the project's own migrations.
pub const ELSEWHERE: [&str; 12] = [
    "target",
    "vendor",
    "dist",
    "build",
    "out",
    "tmp",
    "test",
    "tests",
    "fixtures",
    "examples",
    "seeds",
    "__pycache__",
];
