//! Statements per second of `sql::read`, over a mix of statements like that of real projects.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use liftlock::sql::{self, Statement};

/// What one migration of a project might hold; `{n}` is its number.
const MIGRATION: &str = r"-- Description: step {n}
-- liftlock: allow index-without-concurrently because the table is small
create table if not exists orders_{n} (
    id bigint generated always as identity primary key,
    customer_id bigint not null references customers (id) on delete cascade,
    total numeric(12, 2) not null default 0 check (total >= 0),
    placed_at timestamp with time zone not null default now(),
    note text
);
create index concurrently if not exists orders_{n}_customer_id on orders_{n} (customer_id, placed_at desc);
alter table customers add column if not exists score_{n} integer default 0 not null, drop column old_{n};
alter table orders_{n} add constraint total_{n} check (total < 1e9) not valid;
alter table orders_{n} validate constraint total_{n};
insert into settings (name, value) values ('step', '{n}'), ('note', 'it''s done') on conflict (name) do nothing;
update customers set score_{n} = (select count(*) from orders_{n} o where o.customer_id = customers.id) where active;
delete from sessions where expires_at < now() - interval '30 days';
create or replace function touch_{n}() returns trigger language plpgsql as $$
begin
    if new.total is distinct from old.total then
        insert into history (order_id, total) values (new.id, new.total);
    end if;
    return new;
end
$$;
create trigger touch_{n} before update on orders_{n} for each row execute function touch_{n}('x');
do $$ begin
    alter table orders_{n} add foreign key (customer_id) references customers (id);
exception when duplicate_object then null;
end $$;
create view open_orders_{n} as with recent as (select * from orders_{n} where placed_at > now() - interval '1 day')
    select r.id, c.name from recent r join customers c on c.id = r.customer_id order by r.placed_at;
comment on table orders_{n} is 'orders of step {n}';
grant select, insert on orders_{n} to app;
set lock_timeout = '2s';
drop index concurrently if exists old_{n};
";

fn statements_per_second(criterion: &mut Criterion) {
    let text: String = (0..200).map(|step| MIGRATION.replace("{n}", &step.to_string())).collect();
    let statements: usize = sql::read(&text).iter().map(|statement: &Statement| statement.walk().count()).sum();
    let mut group = criterion.benchmark_group("sql::read");
    group.throughput(Throughput::Elements(statements as u64));
    group.sample_size(20);
    group.bench_function("mixed migrations", |bencher| bencher.iter(|| sql::read(&text)));
    group.finish();
}

criterion_group!(benches, statements_per_second);
criterion_main!(benches);
