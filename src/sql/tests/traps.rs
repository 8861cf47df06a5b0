//! Texts that have misled a reader before, or are made to.

use super::{
    super::{
        Change, DirectiveKind,
        change::{Filter, Unread},
        directives, read,
    },
    check, render,
};

#[test]
fn nothing_after_a_leftover_end_is_lost() {
    check("SELECT 1 END; DROP TABLE users;", "SELECT; DROP TABLE users");
    check("INSERT INTO t SELECT 1 END; DROP TABLE users", "INSERT t; DROP TABLE users");
    check("UPDATE t SET a = 1 RETURNING a END; DROP TABLE users", "UPDATE t; DROP TABLE users");
    check("CREATE VIEW v AS SELECT 1 END; DROP TABLE users", "CREATE VIEW v; DROP TABLE users");
    check("CREATE TABLE t AS SELECT 1 END; DROP TABLE users", "CREATE TABLE t as; DROP TABLE users");
    check("DECLARE c CURSOR FOR SELECT 1 END; DROP TABLE users", "DECLARE { SELECT }; DROP TABLE users");
    check("EXPLAIN SELECT 1 END; DROP TABLE users", "EXPLAIN; DROP TABLE users");
    check("SELECT CASE WHEN a THEN b END END; DROP TABLE users", "SELECT; DROP TABLE users");
    check("BEGIN; SELECT 1 END; DROP TABLE users; COMMIT", "BEGIN; SELECT; DROP TABLE users; COMMIT");
}

#[test]
fn copy_data_hides_no_statement() {
    check("COPY t FROM STDIN; DROP TABLE users;", "unread statement CopyFromStdin; DROP TABLE users");
    check("COPY t FROM STDIN;\nDROP TABLE users;", "unread statement CopyFromStdin; DROP TABLE users");
    let data = "unread statement CopyFromStdin; unread statement CopyData";
    check("COPY t FROM STDIN;\n1\t'\n2\t/*\n\\.\nDROP TABLE users;", &format!("{data}; DROP TABLE users"));
    check("COPY t FROM STDIN;\r\n1 ' $$\r\n\\.\r\nDROP TABLE users;", &format!("{data}; DROP TABLE users"));
    check("COPY t FROM STDIN;\n-- x\n/* y\n\\.\nDROP TABLE users;", &format!("{data}; DROP TABLE users"));
    let same_line = "COPY t FROM STDIN; DROP TABLE a;\n1\n\\.\nDROP TABLE b";
    check(same_line, "unread statement CopyFromStdin; DROP TABLE a; unread statement CopyData; DROP TABLE b");
    // What begins on the line of the `;` and runs over its end is SQL.
    check(
        "COPY t FROM STDIN; SELECT '\n'; DROP TABLE a;\n\\.\n",
        "unread statement CopyFromStdin; SELECT; DROP TABLE a; unread statement PsqlCommand",
    );
    check("SELECT '\n\\.\n'; DROP TABLE a", "SELECT; DROP TABLE a");
    // psql reads its own from the file, too.
    let own = "unread statement PsqlCommand; unread statement CopyData";
    check("\\copy t (a) from stdin csv\n1,'x\n\\.\nDROP TABLE users;", &format!("{own}; DROP TABLE users"));
    check("\\COPY t FROM STDIN\r\n1 ' $$\r\n\\.\r\nDROP TABLE users;", &format!("{own}; DROP TABLE users"));
    check("\\copy t from stdin\nDROP TABLE users;", "unread statement PsqlCommand; DROP TABLE users");
    check(
        "\\copy t from 'stdin.csv'\nDROP TABLE users;\n\\.\n",
        "unread statement PsqlCommand; DROP TABLE users; unread statement PsqlCommand",
    );
}

#[test]
fn operators_swallow_neither_comments_nor_quotes() {
    for operator in ["#", "%", "&", "|", "~", "?", "@", "->", "->>", "<@", "+", "*", "<", "=", "!", "^", "`"] {
        check(&format!("select a {operator}-- it's\n b; DROP TABLE u; -- '"), "SELECT; DROP TABLE u");
        check(&format!("select a {operator}/* it's */ b; DROP TABLE u; -- '"), "SELECT; DROP TABLE u");
    }
    check("select a &>'x'; DROP TABLE u; --'", "SELECT; DROP TABLE u");
    check("select a &>' 2; DROP TABLE u; --'", "SELECT");
    check("select a &>b from t; DROP TABLE u", "SELECT; DROP TABLE u");
    check("delete from t where a &>b and c &>'x'; DROP TABLE u", "DELETE t where; DROP TABLE u");
}

#[test]
fn writes_behind_with_are_seen() {
    check("WITH d AS (DELETE FROM users RETURNING *) SELECT * FROM d", "SELECT { DELETE users }");
    check("WITH d AS MATERIALIZED (UPDATE a SET b = 1) SELECT 1", "SELECT { UPDATE a }");
    check("WITH a AS (SELECT 1), d AS (INSERT INTO t SELECT 1) SELECT 1", "SELECT { INSERT t }");
    check(
        "WITH m AS (MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE RETURNING 1) SELECT 1",
        "SELECT { MERGE t deletes }",
    );
    check("((WITH d AS (DELETE FROM users) SELECT 1))", "SELECT { DELETE users }");
    check("WITH a AS (WITH d AS (DELETE FROM users) SELECT 1) SELECT 1", "SELECT { DELETE users }");
    check(
        "WITH a AS (WITH d AS (DELETE FROM users RETURNING *) UPDATE t SET b = 1) SELECT 1",
        "SELECT { UPDATE t { DELETE users } }",
    );
    check(
        "CREATE TABLE t AS WITH d AS (DELETE FROM users RETURNING *) SELECT * FROM d",
        "CREATE TABLE t as { DELETE users }",
    );
    check("PREPARE p AS WITH d AS (DELETE FROM users RETURNING *) SELECT 1", "PREPARE { SELECT { DELETE users } }");
    check("COPY (WITH d AS (DELETE FROM users RETURNING *) SELECT 1) TO STDOUT", "COPY to { SELECT { DELETE users } }");
    check("SELECT * FROM json_to_record(x) AS (delete text)", "SELECT { SELECT }".replace(" { SELECT }", "").as_str());
}

#[test]
fn quoted_words_are_names_and_words_may_be_names() {
    check(r#"DROP INDEX "concurrently""#, "DROP INDEX concurrently");
    check(r#"ALTER TABLE t DROP "constraint""#, "ALTER TABLE t: drop constraint");
    check(r#"ALTER TABLE t ADD "constraint" int"#, "ALTER TABLE t: add constraint");
    check(r#"CREATE INDEX "concurrently" ON t (a)"#, "CREATE INDEX concurrently on t 1 keys");
    check(r#"SELECT "end"; DROP TABLE "end""#, "SELECT; DROP TABLE end");
    check(r#"ALTER TABLE "t;" RENAME TO "a""b""#, "ALTER TABLE t;: rename to a\"b");
    check(
        "ALTER TABLE t ADD exclude int, DROP type, ALTER set TYPE int",
        "ALTER TABLE t: add exclude, drop type, type set",
    );
    check("SET local.x = 1; SET session.x = 2", "SET local.x; SET session.x");
    check("CREATE TABLE if (a int); DROP TABLE if", "CREATE TABLE if (a); DROP TABLE if");
    check("UPDATE only SET a = 1", "unread statement Malformed");
    check("TRUNCATE Users", "TRUNCATE users");
}

#[test]
fn option_values_count_not_their_words() {
    check("REINDEX (CONCURRENTLY false) TABLE t", "REINDEX table t");
    check("REINDEX (CONCURRENTLY off) TABLE t", "REINDEX table t");
    check("REINDEX (CONCURRENTLY) TABLE t", "REINDEX table concurrently t");
    check("EXPLAIN (ANALYZE false) DELETE FROM t", "EXPLAIN");
    check("EXPLAIN (ANALYZE 0, ANALYZE 1) DELETE FROM t", "EXPLAIN analyze { DELETE t }");
    check("VACUUM (FULL 0) t", "VACUUM t");
}

#[test]
fn options_of_a_vacuum_are_no_tables() {
    check("VACUUM ANALYZE; VACUUM VERBOSE; VACUUM FREEZE", "VACUUM; VACUUM; VACUUM");
    check("VACUUM FULL ANALYZE; VACUUM FULL VERBOSE", "VACUUM full; VACUUM full");
    check("VACUUM \"analyze\"", "VACUUM analyze");
}

#[test]
fn strings_end_where_postgres_ends_them() {
    check(r"SELECT '\'; DROP TABLE a; --'", "SELECT; DROP TABLE a");
    check(r"SELECT E'\'; DROP TABLE a; --'", "SELECT");
    check(r"SELECT E'\\'; DROP TABLE a", "SELECT; DROP TABLE a");
    check("SELECT 'a'\n'b;'; DROP TABLE a", "SELECT; DROP TABLE a");
    check("SELECT E'a'\n'\\'; DROP TABLE a; --'", "SELECT");
    check("SELECT 'a' -- c'\n'b;'; DROP TABLE a", "SELECT; DROP TABLE a");
    check("SELECT $$;$$; DROP TABLE a", "SELECT; DROP TABLE a");
    check("SELECT $a$ $$ ; $b$ ; $a$; DROP TABLE a", "SELECT; DROP TABLE a");
    check("SELECT $A$ ; $a$; DROP TABLE x", "unread statement Unterminated");
    check("SELECT a$$b; DROP TABLE x; SELECT c$$d", "SELECT; DROP TABLE x; SELECT");
    check("SELECT 1$$;$$; DROP TABLE x", "SELECT; DROP TABLE x");
    check("SELECT namE'\\'; DROP TABLE x; --'", "SELECT; DROP TABLE x");
    check("SELECT U&'\\0041;', N';', B'1', X'f;'; DROP TABLE x", "SELECT; DROP TABLE x");
    check("SELECT /* ; /* ' */ */ 1; DROP TABLE x", "SELECT; DROP TABLE x");
    check("SELECT 1 -- ;\r; DROP TABLE x", "SELECT; DROP TABLE x");
}

#[test]
fn what_never_ends_is_one_finding_with_its_beginning() {
    for (sql, what, opened) in [
        ("DROP TABLE a; SELECT 'x; DROP TABLE b", "string", 21),
        ("DROP TABLE a; SELECT \"x; DROP TABLE b", "quoted name", 21),
        ("DROP TABLE a; SELECT $x$ $$; DROP TABLE b", "dollar-quoted string", 21),
        ("DROP TABLE a; SELECT 1 /* /* */; DROP TABLE b", "comment", 23),
        ("DROP TABLE a; /* never", "comment", 14),
    ] {
        let statements = read(sql);
        assert_eq!(statements.len(), 2, "{sql}");
        let Change::Unread { reason: Unread::Unterminated { what: found, opened: span } } = &statements[1].change
        else {
            panic!("{sql}: {:?}", statements[1].change)
        };
        assert_eq!((*found, span.start), (what, opened), "{sql}");
        assert_eq!(statements[1].span.end, sql.len(), "{sql}");
    }
}

#[test]
fn other_tools_texts_are_findings() {
    check("SELECT 1 \\gset\nDROP TABLE a;", "SELECT; unread statement PsqlCommand; DROP TABLE a");
    check(
        "\\restrict x'y\nDROP TABLE a;\n\\i b.sql",
        "unread statement PsqlCommand; DROP TABLE a; unread statement PsqlCommand",
    );
    check(
        "SELECT :name; SELECT :'name'; SELECT a[1:b], c::int",
        "unread statement Placeholder; unread statement Placeholder; SELECT",
    );
    check(
        "DROP TABLE {{ table }}; ALTER TABLE ${x} ADD a int",
        "unread statement Placeholder; unread statement Placeholder",
    );
    check("SELECT '{{ x }} ${y} :z'", "SELECT");
    check("FROB a; DROP TABLE b", "unread statement UnknownStatement; DROP TABLE b");
    check("ALTER TABLE t DELETE COLUMN a", "unread statement Malformed");
    check("DROP TABLE (a; DROP TABLE b", "unread statement Malformed");
    check("DROP TRIGGER a; DROP POLICY b", "unread statement Malformed; unread statement Malformed");
    check("DROP TABLE a b; DROP a", "unread statement Malformed; unread statement Malformed");
    check("CREATE TABLE t (a int) ENGINE = InnoDB", "unread statement MalformedTable");
    check("CREATE TABLE t (a int AUTO_INCREMENT)", "unread statement MalformedTable");
}

#[test]
fn markers_of_other_tools_end_statements() {
    check("ALTER TABLE a ADD b int\n--> statement-breakpoint\nDROP TABLE c", "ALTER TABLE a: add b; DROP TABLE c");
    check("-- +goose Up\nDROP TABLE a\n-- +goose Down\nDROP TABLE b", "DROP TABLE a; DROP TABLE b");
    check("-- migrate:up\nDROP TABLE a\n-- migrate:down\nDROP TABLE b;", "DROP TABLE a; DROP TABLE b");
    check("DROP --> statement-breakpoint\nTABLE users", "unread statement Malformed; SELECT");
    check("UPDATE t --> statement-breakpoint\nSET x = 1", "unread statement Malformed; SET x");
}

#[test]
fn a_backslash_means_something_else_after_nonstandard_strings() {
    check(
        "SET standard_conforming_strings = off; SELECT '\\'; DROP TABLE a; --'",
        "SET standard_conforming_strings; unread statement NonStandardStrings",
    );
    check("SET standard_conforming_strings = on; DROP TABLE a", "SET standard_conforming_strings; DROP TABLE a");
    check(
        "SELECT set_config('standard_conforming_strings', 'off', false); DROP TABLE a",
        "SELECT; unread statement NonStandardStrings",
    );
    check(
        "SELECT pg_catalog.set_config('search_path', '', false); DROP TABLE a",
        "SELECT { SET search_path }; DROP TABLE a",
    );
}

#[test]
fn a_routine_in_standard_syntax_is_one_statement() {
    let routine = "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN a THEN 1 END; DELETE FROM t; END";
    check(&format!("{routine}; DROP TABLE a"), "CREATE FUNCTION f { SELECT; DELETE t }; DROP TABLE a");
    // A label that looks like a block's beginning must not take in what stands behind the block.
    let hiding = "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1 case; END; DROP TABLE users; SELECT 1 end;";
    check(hiding, "unread statement Malformed");
    check("BEGIN; DROP TABLE a; END", "BEGIN; DROP TABLE a; COMMIT");
    check("CREATE PROCEDURE p() BEGIN ATOMIC DELETE FROM t", "unread statement Malformed");
}

#[test]
fn a_condition_that_is_always_true_bounds_nothing() {
    for (condition, expected) in [
        ("true", Filter::None),
        ("(TRUE)", Filter::None),
        ("1 = 1", Filter::None),
        ("('a' = 'a')", Filter::None),
        ("not false", Filter::None),
        ("true RETURNING *", Filter::None),
        ("a = a", Filter::Where),
        ("1 = 2", Filter::Where),
        ("true AND b", Filter::Where),
        ("CURRENT OF c", Filter::Cursor),
    ] {
        let statements = read(&format!("DELETE FROM t WHERE {condition}"));
        let Change::Delete(delete) = &statements[0].change else { panic!("{condition}: {:?}", statements[0].change) };
        assert_eq!(delete.filter, expected, "{condition}");
    }
}

#[test]
fn directives_belong_to_the_statement_they_stand_above_or_beside() {
    let text = "-- liftlock: safe\n-- liftlock: allow a because b c\nDROP TABLE x; -- liftlock: allow d\n\
                ALTER TABLE t\n  -- liftlock: allow e because f\n  DROP a;\n/* liftlock: what */\nSELECT 1;\n-- liftlock: allow g\n";
    let statements = read(text);
    let found: Vec<Vec<&DirectiveKind>> = statements
        .iter()
        .map(|statement| statement.directives.iter().map(|directive| &directive.kind).collect())
        .collect();
    let allow = |rule: &str, reason: &str| DirectiveKind::Allow { rule: rule.to_owned(), reason: reason.to_owned() };
    assert_eq!(found[0], [&DirectiveKind::Safe, &allow("a", "b c"), &allow("d", "")]);
    assert_eq!(found[1], [&allow("e", "f")]);
    assert_eq!(found[2], [&DirectiveKind::Unknown { text: "what".to_owned() }]);
    assert_eq!(directives(text).len(), 6);
    assert_eq!(&text[statements[0].directives[1].span.start..][..24], "-- liftlock: allow a bec");
    for (text, expected) in [
        ("allow", DirectiveKind::Unknown { text: "allow".to_owned() }),
        ("allow a why", DirectiveKind::Unknown { text: "allow a why".to_owned() }),
        ("allow a because", allow("a", "")),
        ("ignore", DirectiveKind::Unknown { text: "ignore".to_owned() }),
        ("allowed a", DirectiveKind::Unknown { text: "allowed a".to_owned() }),
    ] {
        assert_eq!(directives(&format!("--liftlock:{text}"))[0].kind, expected, "{text}");
    }
    assert!(directives("-- see liftlock: x\n-- atlas:nolint\nSELECT '-- liftlock: safe'").is_empty());
}

#[test]
fn long_chains_and_deep_nesting_break_nothing() {
    let deep = |open: &str, close: &str| format!("SELECT {}1{}", open.repeat(20_000), close.repeat(20_000));
    for sql in [
        format!("SELECT 1{}", " + 1".repeat(50_000)),
        format!("SELECT 1{}", " AND true".repeat(50_000)),
        format!("SELECT 1{}", " UNION SELECT 1".repeat(50_000)),
        format!("SELECT a{}", " IS NULL".repeat(50_000)),
        format!("SELECT a{}", "[1]".repeat(50_000)),
        format!("SELECT {}1", "- ".repeat(50_000)),
        format!("SELECT {}true", "NOT ".repeat(50_000)),
        format!("SELECT 1{}", "::int".repeat(50_000)),
        format!("SELECT {}", vec!["(1)"; 50_000].join(",")),
        format!("{}SELECT 1{}", "(".repeat(20_000), ")".repeat(20_000)),
        deep("(", ")"),
        deep("(SELECT ", ")"),
        deep("ARRAY[", "]"),
        deep("CASE WHEN true THEN ", " END"),
        deep("f(", ")"),
    ] {
        assert_eq!(render(&read(&format!("{sql}; DROP TABLE a"))).rsplit("; ").next(), Some("DROP TABLE a"));
    }
    let nested = (0..200).fold("SELECT 1".to_owned(), |sql, at| {
        format!("WITH c{at} AS (DELETE FROM t{at} WHERE a IN ({sql})) SELECT 1")
    });
    assert!(render(&read(&nested)).contains("DELETE t199"));
    let blocks = (0..60).fold("DROP TABLE a".to_owned(), |sql, at| format!("DO $b{at}$ BEGIN {sql}; END $b{at}$"));
    assert!(render(&read(&blocks)).contains("TooComplex"));
}

#[test]
fn what_never_ends_hides_no_statement_below_it() {
    for (sql, expected) in [
        (
            "create table a (x text default 'oops);\ndrop table users;\n",
            "unread statement Unterminated { DROP TABLE users }",
        ),
        (
            "create table a (x text default 'oops);\ndrop table users;\ninsert into t values ('a');\ntruncate b",
            "unread statement Unterminated { DROP TABLE users; INSERT t; TRUNCATE b }",
        ),
        ("select 1; /* never\nDELETE\nfrom t;\n", "SELECT; unread statement Unterminated { DELETE t }"),
        (
            "do $a$ begin\n  drop table a;\nend $b$;\nalter table t\n  drop column b;",
            "unread statement Unterminated { ALTER TABLE t: drop b }",
        ),
        // Two quotes that belong to no one another.
        (
            "comment on table a is 'x;\ndrop table users;\ncomment on table b is 'y;\ntruncate c;",
            "unread statement Malformed { DROP TABLE users }; TRUNCATE c",
        ),
        (
            "alter table a rename \"b to c;\ndrop table users;\nalter table \"d rename e to f;",
            "unread statement Malformed { DROP TABLE users }",
        ),
        ("select f('x\ny', 'z);\ndrop table users;\nselect f('a", "unread statement Malformed { DROP TABLE users }"),
        (
            "do $$ begin\n  drop table a;\n  if x then\n    perform f('b);\n    drop table c;\n  end if;\nend $$;\ndrop table d;",
            "DO { DROP TABLE a; unread statement Unterminated; DROP TABLE c }; DROP TABLE d",
        ),
        // Text is no statement, nor is what a section below undoes.
        ("select 'one\ndrop by later\nupdates\n", "unread statement Unterminated"),
        ("drop table \"a;\n-- +goose Down\ndrop table users;\n", "unread statement Unterminated"),
    ] {
        check(sql, expected);
    }
}
