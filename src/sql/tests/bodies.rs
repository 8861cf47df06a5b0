//! Statements inside `DO` blocks and routine bodies.

use super::{
    super::{Place, Statement, read},
    check,
};

#[test]
fn statements_of_a_body_are_found() {
    let body = |text: &str, expected: &str| {
        check(&format!("DO $$ {text} $$"), &format!("DO {{ {expected} }}"));
        check(&format!("DO LANGUAGE plpgsql $x$ {text} $x$"), &format!("DO {{ {expected} }}"));
        check(&format!("DO '{}'", text.replace('\'', "''")), &format!("DO {{ {expected} }}"));
        check(&format!("DO E'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")), &format!("DO {{ {expected} }}"));
        let routine = format!("CREATE FUNCTION f() RETURNS void AS $$ {text} $$ LANGUAGE plpgsql");
        check(&routine, &format!("CREATE FUNCTION f {{ {expected} }}"));
    };
    body("BEGIN DROP TABLE a; END", "DROP TABLE a");
    body("BEGIN DROP TABLE a; DELETE FROM b WHERE c = 'x;y'; END", "DROP TABLE a; DELETE b where");
    body(
        "BEGIN IF a = 'b' THEN DROP TABLE c; ELSIF d THEN TRUNCATE e; ELSE DELETE FROM g; END IF; END",
        "DROP TABLE c; TRUNCATE e; DELETE g",
    );
    body("<<x>> DECLARE comment text; lock int := 1; BEGIN UPDATE t SET a = 1; END", "UPDATE t");
    body("BEGIN FOR i IN 1..10 LOOP INSERT INTO t VALUES (i); END LOOP; END", "INSERT t");
    body("BEGIN FOR r IN SELECT * FROM t LOOP DELETE FROM t WHERE a = r.a; END LOOP; END", "SELECT; DELETE t where");
    body("BEGIN FOR r IN DELETE FROM t RETURNING * LOOP NULL; END LOOP; END", "DELETE t");
    body("BEGIN WHILE a LOOP DROP VIEW v; END LOOP; LOOP EXIT; END LOOP; END", "DROP VIEW v");
    body("BEGIN CASE a WHEN 1 THEN DROP TABLE b; ELSE DROP TABLE c; END CASE; END", "DROP TABLE b; DROP TABLE c");
    body(
        "BEGIN BEGIN ALTER TABLE a ADD b int; EXCEPTION WHEN duplicate_column THEN DROP TABLE c; END; END",
        "ALTER TABLE a: add b; DROP TABLE c",
    );
    body(
        "BEGIN ALTER TABLE a ADD FOREIGN KEY (b) REFERENCES c ON DELETE no action ON UPDATE no action; END",
        "ALTER TABLE a: add constraint foreign key to c",
    );
    body("BEGIN RETURN QUERY DELETE FROM t RETURNING *; END", "DELETE t");
    body("BEGIN PERFORM f(1); END", "SELECT");
    body("BEGIN WITH d AS (DELETE FROM t RETURNING 1) SELECT 1 INTO x FROM d; END", "SELECT { DELETE t }");
    body("BEGIN SELECT a INTO b FROM c; DROP TABLE d; END", "SELECT; DROP TABLE d");
    body("BEGIN OPEN c FOR UPDATE t SET a = 1 RETURNING *; END", "UPDATE t");
    body(
        "DECLARE c CURSOR FOR SELECT 1; BEGIN /* DROP TABLE x; */ DROP TABLE y; -- DROP TABLE z;\n END",
        "DROP TABLE y",
    );
    body("BEGIN DROP TABLE a; COMMIT; ROLLBACK; END", "DROP TABLE a; COMMIT; ROLLBACK");
    body("BEGIN x := f(1); comment = 5; DROP TABLE a; END", "SELECT; DROP TABLE a");
    body("BEGIN RAISE EXCEPTION 'drop table a; %', b; DROP TABLE c; END", "DROP TABLE c");
    body("#variable_conflict use_column\nBEGIN DROP TABLE c; END", "DROP TABLE c");
}

#[test]
fn executed_text_is_read_when_plain_and_named_when_not() {
    let body =
        |text: &str, expected: &str| check(&format!("DO $$ BEGIN {text} END $$"), &format!("DO {{ {expected} }}"));
    let dynamic = "unread statement DynamicSql";
    body("EXECUTE 'drop table a';", "DROP TABLE a");
    body("EXECUTE 'drop table a; truncate b';", "DROP TABLE a; TRUNCATE b");
    body("EXECUTE $x$ delete from t where a = 'b' $x$ USING c;", "DELETE t where");
    body("EXECUTE 'delete from t where a = ''b''' INTO c;", "DELETE t where");
    body("EXECUTE 'drop table ' || a;", dynamic);
    body("EXECUTE format('drop table %I', a);", dynamic);
    body("EXECUTE a;", dynamic);
    body("RETURN QUERY EXECUTE a;", dynamic);
    body("FOR r IN EXECUTE a LOOP DROP TABLE b; END LOOP;", &format!("{dynamic}; DROP TABLE b"));
    body("FOR r IN EXECUTE 'delete from t' LOOP NULL; END LOOP;", "DELETE t");
    body("OPEN c FOR EXECUTE a;", dynamic);
    body("IF a THEN EXECUTE b; END IF;", dynamic);
}

#[test]
fn other_bodies_are_read_or_named() {
    check(
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'delete from t; select 1'",
        "CREATE FUNCTION f { DELETE t; SELECT }",
    );
    check("CREATE FUNCTION f() RETURNS int LANGUAGE 'SQL' AS $$ drop table a $$", "CREATE FUNCTION f { DROP TABLE a }");
    check("DO LANGUAGE plperl $$ x $$", "DO { unread statement ForeignLanguage }");
    check("DO $$ BEGIN 'x $$", "DO { unread statement Unterminated }");
    check(
        "CREATE FUNCTION f() RETURNS int AS $$ BEGIN DO 'BEGIN DROP TABLE a; END'; END $$ LANGUAGE plpgsql",
        "CREATE FUNCTION f { DO { DROP TABLE a } }",
    );
    check("CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql", "unread statement Malformed");
    check("DO", "unread statement Malformed");
}

/// The text that a statement's span covers.
fn covered<'a>(text: &'a str, statement: &Statement) -> &'a str {
    &text[statement.span.start..statement.span.end]
}

#[test]
fn places_in_a_body_are_places_in_the_file() {
    for (text, expected) in [
        ("-- é\nDO $$ BEGIN é := 1; DROP TABLE a; END $$;", "DROP TABLE a"),
        ("DO 'BEGIN x := ''é''; DELETE FROM t WHERE a = ''b''; END';", "DELETE FROM t WHERE a = ''b''"),
        ("DO E'BEGIN x := \\'é\\u00e9\\';\\n DROP TABLE a;\\n END';", "DROP TABLE a"),
        ("DO 'BEGIN '\n  ' DROP TABLE a; END';", "DROP TABLE a"),
        ("DO $$ BEGIN EXECUTE 'DELETE FROM t WHERE a = ''b'''; END $$", "DELETE FROM t WHERE a = ''b''"),
        ("DO 'BEGIN EXECUTE ''DROP TABLE a''; END'", "DROP TABLE a"),
    ] {
        let statements = read(text);
        let inner = statements[0].inner.last().expect(text);
        assert_eq!(covered(text, inner), expected, "{text}");
        assert_eq!(inner.place, Place::Do, "{text}");
    }
}

#[test]
fn a_routines_statements_belong_to_it_and_carry_their_directives() {
    let text = "CREATE FUNCTION s.f() RETURNS void LANGUAGE plpgsql AS $$\nBEGIN\n  -- liftlock: allow x because y\n  DROP TABLE a;\nEND $$;";
    let statements = read(text);
    let Place::Routine(name) = &statements[0].inner[0].place else { panic!("{statements:?}") };
    assert_eq!(name.to_string(), "s.f");
    assert_eq!(statements[0].inner[0].directives.len(), 1);
    assert_eq!(statements[0].walk().count(), 2);
}
