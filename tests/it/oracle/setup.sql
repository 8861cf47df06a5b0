-- The database that every probe runs on. All tables have rows, but `vacant`.
create type mood as enum ('low', 'fine', 'high');
create type pair as (x int, y int);
create domain plain as int;
create domain positive as int check (value > 0);
create domain required as int not null;
create domain short as varchar(10);
create domain label as text;
create function steady() returns int language plpgsql immutable as 'begin return 1; end';
create function settled() returns int language plpgsql stable as 'begin return 1; end';
create function moving() returns int language plpgsql as 'begin return 1; end';
create function inlined() returns int language sql as 'select 1';
create function inlined_random() returns float8 language sql as 'select random()';
create function guarded() returns int language sql security definer as 'select 1';
create function with_default(a int default 1) returns int language sql immutable as 'select a';
create function watch() returns trigger language plpgsql as 'begin return new; end';
create sequence counter;

create table customers (id int primary key, email text not null, region text, code varchar(10), unique (email));
insert into customers select g, 'c' || g, 'eu', 'x' from generate_series(1, 300) g;

create table wide (
    id int primary key, a int, b int not null default 1, s text, vc varchar(10), vcn varchar, ch char(5), n numeric(10, 2),
    nu numeric, r real, f float8, si smallint, bi bigint, bo boolean, ts timestamp, ts3 timestamp(3), tz timestamptz,
    tz0 timestamptz(0), dt date, tm time, tm3 time(3), tmz timetz, iv interval, iv0 interval(0), ivy interval year,
    ci cidr, ine inet, ma macaddr, e mood, vb varbit(8), bt bit(3), ar int[], vca varchar(10)[], ta text[], ids oid,
    dc plain, dp positive, ds short, dl label, js json, jb jsonb, x xml, u uuid, ba bytea, mo money, nm name, pt point,
    tv tsvector, ir int4range, customer_id int
);
insert into wide (id, a, s, vc, vcn, ch, n, dp, customer_id)
    select g, g, 's' || g, 'v' || g, 'v' || g, 'c', g, g, 1 + g % 300 from generate_series(1, 1000) g;
create index wide_a on wide (a);
create index wide_s on wide (s);
create index wide_vc on wide (vc);
create index wide_ts on wide (ts);
create index wide_n on wide (n);

create table orders (
    id bigint primary key, customer_id int references customers, total numeric(10, 2) constraint total_fits check (total >= 0),
    state text not null, placed timestamptz, note varchar(40), legacy int
);
insert into orders select g, 1 + g % 300, g, 'new', now(), 'n', g from generate_series(1, 1000) g;
create index orders_state on orders (state);
create unique index orders_legacy on orders (legacy);
create view order_list as select id, customer_id, total from orders;
create materialized view order_sums as select customer_id, sum(total) as total from orders group by customer_id;
create unique index order_sums_customer on order_sums (customer_id);
create materialized view order_states as select state from orders;
create table order_lines (id bigint primary key, order_id bigint not null references orders, sku text);
insert into order_lines select g, g, 'sku' from generate_series(1, 500) g;

create table bare (a int, b text);
insert into bare select g, 'b' from generate_series(1, 500) g;
create table vacant (id int primary key, a int, s text);
create table counted (id serial primary key, a int);
insert into counted (a) select g from generate_series(1, 500) g;
create table numbered (id int generated always as identity, a int);
insert into numbered (a) select g from generate_series(1, 500) g;
create table summed (a int, b int generated always as (a * 2) stored);
insert into summed select g from generate_series(1, 500) g;
create unlogged table scratch (id int primary key, a int);
insert into scratch select g, g from generate_series(1, 500) g;
create table animals (id int not null, name text);
create table dogs (bark text) inherits (animals);
insert into dogs select g, 'rex', 'wau' from generate_series(1, 500) g;
create table cats (id int not null, name text);
insert into cats select g, 'tom' from generate_series(1, 500) g;
create table of_pair of pair;
insert into of_pair select g, g from generate_series(1, 500) g;
create table has_pair (id int, p pair);
create table watched (id int primary key, a int);
insert into watched select g, g from generate_series(1, 500) g;
create trigger watching before insert on watched for each row execute function watch();
create policy seeing on watched using (true);
create rule ruling as on delete to watched do instead nothing;

create table events (id int, at int not null, kind text) partition by range (at);
create table events_1 partition of events for values from (0) to (1000);
create table events_2 partition of events for values from (1000) to (2000);
create table events_rest partition of events default;
insert into events select g, g, 'k' from generate_series(0, 2999, 3) g;
create index events_kind on events (kind);
create table logs (id int, at int not null) partition by range (at);
create table logs_1 partition of logs for values from (0) to (1000);
create table logs_2 partition of logs for values from (1000) to (2000);
insert into logs select g, g from generate_series(0, 1999, 3) g;
create table shards (id int not null, key int not null) partition by hash (key);
create table shards_0 partition of shards for values with (modulus 2, remainder 0);
insert into shards select g, g from generate_series(1, 300) g where satisfies_hash_partition('shards'::regclass, 2, 0, g);
create table incoming (id int, at int not null, kind text);
insert into incoming select g, 5000 + g, 'k' from generate_series(0, 499) g;
create table incoming_log (id int, at int not null);
insert into incoming_log select g, 5000 + g from generate_series(0, 499) g;

create schema attic;
-- Roles belong to the server, not to a copy of the database.
do $$ begin create role reader; exception when duplicate_object then null; end $$;
create publication feed for table watched;
create statistics wide_stats on a, b from wide;
create collation accents (locale = 'C');
