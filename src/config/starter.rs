//! What `liftlock init` writes.

use camino::Utf8Path;

/// A configuration for a project whose migrations lie in `migrations`.
pub fn starter(migrations: &Utf8Path) -> String {
    TEXT.replace("{migrations}", &scalar(migrations.as_str()))
}

/// A value as YAML: quoted when a character in it could mean something.
fn scalar(text: &str) -> String {
    let text = text.replace('$', "$$");
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '.');
    if text.chars().all(plain) && text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '/') {
        return text;
    }
    // JSON's strings are YAML's double-quoted ones.
    serde_json::Value::String(text).to_string()
}

const TEXT: &str = r##"# How liftlock carries this project's migrations to its databases.
# ${NAME} reads an environment variable; a secret written in this file is refused.
# Help in editors: liftlock config schema > liftlock.schema.json, and as the first line here
#   # yaml-language-server: $schema=liftlock.schema.json

# The folder of the migrations, from this file on. `liftlock new NAME` adds one.
migrations: {migrations}

# Remove what you do not have. Variables are only needed for the environment that a command works on.
environments:
  dev:
    database: "${DATABASE_URL_DEV}"          # postgresql://USER:PASSWORD@HOST:5432/DATABASE
    profile: dev                             # which rules, how severe: dev | staging | production
  staging:
    database: "${DATABASE_URL_STAGING}"
    profile: staging
  production:
    database: "${DATABASE_URL_PROD}"         # a direct connection, not one through a pooler
    profile: production
    after: staging                           # the same bytes must have been applied there first
    backup: { keep: 30d }                    # how long restore points are kept
    lock_timeout: 2s                         # give way, and try again, instead of holding up traffic
    statement_timeout: 15min
    # On Neon: restore points are branches, and the connection must lead to this one (br-…, or the project's default).
    # neon: { project: "${NEON_PROJECT_ID}", branch: default, api_key: "${NEON_API_KEY}" }
    # In a GitHub job: so many others must have approved the run in GitHub's environment `production`.
    # approvals: { required: 1 }

# What `liftlock promote --type config_only` may change.
# config_tables: [site_settings, feature_flags]

# Where audit events are sent; they are recorded in the database in any case.
# A secret for signing: echo whsec_$(openssl rand -base64 32)
# audit: { webhook: "${AUDIT_WEBHOOK_URL}", secret: "${AUDIT_WEBHOOK_SECRET}" }

# Carried to the mirror at the end of a promotion, and by `liftlock sync`.
# sync:
#   from: production
#   to: { folder: ./mirror }                 # or, after `liftlock convex init`:
#   # to: { convex: "${CONVEX_URL}", deploy_key: "${CONVEX_DEPLOY_KEY}" }
#   batch_rows: 500
#   deletes: soft                            # soft: mark | hard: remove | keep: leave
#   verify: digest                           # digest: reads every document | counts: reads none
#   tables: [site_settings]                  # default: all tables with a primary key
"##;
