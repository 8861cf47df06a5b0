//! The questions. In each, `OWN` stands for the schemas that are not the server's, `EXTENSION(class, oid)` for "part
//! of an extension".

pub const TABLES: &str = "
    select c.oid, n.nspname::text, c.relname::text,
      case c.relkind when 'p' then 'partitioned' when 'f' then 'foreign' else 'table' end,
      c.relpersistence = 'u',
      case when c.relkind = 'p' then pg_get_partkeydef(c.oid) end,
      pn.nspname::text, p.relname::text, pg_get_expr(c.relpartbound, c.oid),
      c.relrowsecurity, c.relforcerowsecurity,
      case c.relreplident when 'f' then 'full' when 'n' then 'nothing'
        when 'i' then coalesce((select ic.relname::text from pg_index i join pg_class ic on ic.oid = i.indexrelid
          where i.indrelid = c.oid and i.indisreplident), 'default') else 'default' end,
      coalesce(c.reloptions, '{}')
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
      left join pg_inherits i on i.inhrelid = c.oid and c.relispartition
      left join pg_class p on p.oid = i.inhparent left join pg_namespace pn on pn.oid = p.relnamespace
    where c.relkind in ('r', 'p', 'f') and c.relpersistence <> 't' and OWN and not EXTENSION(pg_class, c.oid)";

/// Since Postgres 18 a column is marked as not null also while the constraint that says so is not validated.
pub const COLUMNS: &str = "
    select a.attrelid, a.attname::text, format_type(a.atttypid, a.atttypmod),
      a.attnotnull and not exists (select from pg_constraint k
        where k.conrelid = a.attrelid and k.contype = 'n' and k.conkey[1] = a.attnum and not k.convalidated),
      pg_get_expr(d.adbin, d.adrelid),
      case when a.attgenerated = 's' then 'stored' when a.attgenerated = 'v' then 'virtual'
        when a.attidentity = 'a' then 'always' when a.attidentity = 'd' then 'by default' else '' end
    from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
      left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'p', 'f') and OWN
    order by a.attrelid, a.attnum";

/// Not those that columns say themselves (`NOT NULL`, since Postgres 18), unless they are not validated.
pub const CONSTRAINTS: &str = "
    select k.conrelid, k.conname::text, pg_get_constraintdef(k.oid), k.convalidated
    from pg_constraint k join pg_namespace n on n.oid = k.connamespace
    where k.conrelid <> 0 and k.contype in ('c', 'f', 'p', 'u', 'x', 'n') and not (k.contype = 'n' and k.convalidated) and OWN
    order by k.conrelid, k.conname";

pub const INHERITS: &str = "
    select i.inhrelid, n.nspname::text, p.relname::text
    from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_class p on p.oid = i.inhparent
      join pg_namespace n on n.oid = p.relnamespace
    where not c.relispartition and c.relkind in ('r', 'f') order by i.inhrelid, i.inhseqno";

pub const INDEXES: &str = "
    select n.nspname::text, c.relname::text, tn.nspname::text, t.relname::text, pg_get_indexdef(c.oid),
      i.indisvalid, (select k.conname::text from pg_constraint k
        where k.conindid = c.oid and k.conrelid = t.oid and k.contype in ('p', 'u', 'x') limit 1),
      pn.nspname::text, p.relname::text
    from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
      join pg_class t on t.oid = i.indrelid join pg_namespace tn on tn.oid = t.relnamespace
      left join pg_inherits h on h.inhrelid = c.oid
      left join pg_class p on p.oid = h.inhparent left join pg_namespace pn on pn.oid = p.relnamespace
    where t.relpersistence <> 't' and t.relkind in ('r', 'p', 'm') and OWN and not EXTENSION(pg_class, t.oid)
    order by 1, 2";

pub const VIEWS: &str = "
    select n.nspname::text, v.relname::text, v.relkind = 'm', used.nspname, used.relname, used.columns
    from pg_class v join pg_namespace n on n.oid = v.relnamespace
      left join lateral (
        select rn.nspname::text, r.relname::text,
          coalesce(array_agg(distinct a.attname::text order by a.attname::text) filter (where a.attname is not null), '{}') as columns
        from pg_rewrite w join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid
            and d.refclassid = 'pg_class'::regclass
          join pg_class r on r.oid = d.refobjid join pg_namespace rn on rn.oid = r.relnamespace
          left join pg_attribute a on a.attrelid = r.oid and a.attnum = d.refobjsubid and d.refobjsubid > 0
        where w.ev_class = v.oid and r.oid <> v.oid and r.relkind in ('r', 'p', 'f', 'v', 'm')
        group by 1, 2) used on true
    where v.relkind in ('v', 'm') and v.relpersistence <> 't' and OWN and not EXTENSION(pg_class, v.oid)
    order by 1, 2, 4, 5";

pub const TYPES: &str = "
    select t.oid, n.nspname::text, t.typname::text,
      case t.typtype when 'e' then 'enum' when 'd' then 'domain' when 'c' then 'composite' when 'r' then 'range' else 'other' end,
      array(select e.enumlabel::text from pg_enum e where e.enumtypid = t.oid order by e.enumsortorder),
      case when t.typtype = 'd' then format_type(t.typbasetype, t.typtypmod) else '' end, t.typnotnull, t.typdefault
    from pg_type t join pg_namespace n on n.oid = t.typnamespace
    where t.typtype in ('e', 'd', 'c', 'r', 'b') and OWN and not EXTENSION(pg_type, t.oid)
      and not exists (select from pg_type e where e.typarray = t.oid)
      and (t.typtype <> 'c' or exists (select from pg_class c where c.oid = t.typrelid and c.relkind = 'c'))";

pub const DOMAIN_CONSTRAINTS: &str = "
    select k.contypid, k.conname::text, pg_get_constraintdef(k.oid), k.convalidated
    from pg_constraint k where k.contypid <> 0 and k.contype = 'c' order by k.contypid, k.conname";

/// Those behind identity columns belong to their column.
pub const SEQUENCES: &str = "
    select n.nspname::text, c.relname::text, format_type(s.seqtypid, null), tn.nspname::text, t.relname::text, a.attname::text
    from pg_sequence s join pg_class c on c.oid = s.seqrelid join pg_namespace n on n.oid = c.relnamespace
      left join pg_depend d on d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype in ('a', 'i')
        and d.refclassid = 'pg_class'::regclass and d.refobjsubid > 0
      left join pg_class t on t.oid = d.refobjid left join pg_namespace tn on tn.oid = t.relnamespace
      left join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
    where c.relpersistence <> 't' and d.deptype is distinct from 'i' and OWN and not EXTENSION(pg_class, c.oid)
    order by 1, 2";

pub const ROUTINES: &str = "
    select n.nspname::text, p.proname::text,
      case p.prokind when 'p' then 'procedure' when 'a' then 'aggregate' else 'function' end,
      array(select format_type(it, null) from unnest(p.proargtypes) with ordinality as of (it, place) order by place),
      case p.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end, l.lanname::text
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang
    where OWN and not EXTENSION(pg_proc, p.oid) order by 1, 2, 4";

pub const TRIGGERS: &str = "
    select g.tgname::text, n.nspname::text, c.relname::text, pn.nspname::text, p.proname::text, g.tgenabled <> 'D'
    from pg_trigger g join pg_class c on c.oid = g.tgrelid join pg_namespace n on n.oid = c.relnamespace
      join pg_proc p on p.oid = g.tgfoid join pg_namespace pn on pn.oid = p.pronamespace
    where not g.tgisinternal and OWN order by 2, 3, 1";

pub const POLICIES: &str = "
    select p.polname::text, n.nspname::text, c.relname::text,
      case p.polcmd when 'r' then 'SELECT' when 'a' then 'INSERT' when 'w' then 'UPDATE' when 'd' then 'DELETE' else 'ALL' end,
      array(select r.rolname::text from pg_roles r where r.oid = any (p.polroles) order by 1), p.polpermissive
    from pg_policy p join pg_class c on c.oid = p.polrelid join pg_namespace n on n.oid = c.relnamespace
    where OWN order by 2, 3, 1";

pub const PUBLICATIONS: &str = "
    select p.pubname::text, p.puballtables,
      array(select t.schemaname::text from pg_publication_tables t where t.pubname = p.pubname and not p.puballtables
        order by t.schemaname, t.tablename),
      array(select t.tablename::text from pg_publication_tables t where t.pubname = p.pubname and not p.puballtables
        order by t.schemaname, t.tablename)
    from pg_publication p order by 1";

/// Not what an owner has on its own.
pub const GRANTS: &str = "
    with acls as (
      select case when c.relkind = 'S' then 'sequence' else 'table' end as kind, n.nspname, c.relname as name, c.relowner as owner, c.relacl as acl
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and c.relpersistence <> 't' and OWN and not EXTENSION(pg_class, c.oid)
      union all
      select 'function', n.nspname, p.proname, p.proowner, p.proacl
      from pg_proc p join pg_namespace n on n.oid = p.pronamespace where OWN and not EXTENSION(pg_proc, p.oid)
      union all
      select 'type', n.nspname, t.typname, t.typowner, t.typacl
      from pg_type t join pg_namespace n on n.oid = t.typnamespace where OWN and not EXTENSION(pg_type, t.oid)
      union all
      select 'schema', n.nspname, n.nspname, n.nspowner, n.nspacl from pg_namespace n where OWN)
    select a.kind, case when a.kind = 'schema' then 'public' else a.nspname::text end, a.name::text,
      coalesce(r.rolname::text, 'public'), array_agg(distinct it.privilege_type order by it.privilege_type)
    from acls a, aclexplode(a.acl) it left join pg_roles r on r.oid = it.grantee
    where it.grantee <> a.owner
    group by 1, 2, 3, 4 order by 1, 2, 3, 4";

pub const DEFAULT_PRIVILEGES: &str = "
    select n.nspname::text, o.rolname::text,
      case d.defaclobjtype when 'S' then 'sequence' when 'f' then 'function' when 'T' then 'type' when 'n' then 'schema' else 'table' end,
      coalesce(r.rolname::text, 'public'), array_agg(distinct it.privilege_type order by it.privilege_type)
    from pg_default_acl d join pg_roles o on o.oid = d.defaclrole left join pg_namespace n on n.oid = d.defaclnamespace,
      aclexplode(d.defaclacl) it left join pg_roles r on r.oid = it.grantee
    where it.grantee <> d.defaclrole
    group by 1, 2, 3, 4 order by 1 nulls first, 2, 3, 4";

pub const SIZES: &str = "
    select n.nspname::text, c.relname::text, case when c.reltuples < 0 then null else c.reltuples::bigint end,
      MEASURE,
      coalesce(s.n_tup_ins, 0), coalesce(s.n_tup_upd, 0), coalesce(s.n_tup_del, 0),
      greatest(0, extract(epoch from clock_timestamp() - coalesce(
        (select stats_reset from pg_stat_database where datname = current_database()), pg_postmaster_start_time())))::bigint
    from pg_class c join pg_namespace n on n.oid = c.relnamespace left join pg_stat_all_tables s on s.relid = c.oid
    where c.relkind in ('r', 'm') and c.relpersistence <> 't' and OWN and not EXTENSION(pg_class, c.oid)";

pub const MEASURED: &str = "coalesce(pg_relation_size(c.oid), 0), coalesce(pg_indexes_size(c.oid), 0),
    coalesce(pg_total_relation_size(c.oid), 0)";

pub const ESTIMATED: &str = "c.relpages * 8192::bigint,
    coalesce((select sum(ic.relpages)::bigint from pg_index i join pg_class ic on ic.oid = i.indexrelid where i.indrelid = c.oid), 0) * 8192,
    (c.relpages + coalesce((select sum(ic.relpages)::bigint from pg_index i join pg_class ic on ic.oid = i.indexrelid
      where i.indrelid = c.oid), 0) + coalesce((select relpages from pg_class toast where toast.oid = c.reltoastrelid), 0)) * 8192";
