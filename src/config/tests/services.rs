//! Neon, approvals and Convex in `liftlock.yml`.

use camino::Utf8Path;

use super::{env, read, rendered};
use crate::config::{Approvals, ConvexAuth, MirrorTarget, NeonBranch, Reviews, Sync, parse};

/// The services behind it, whole.
const SERVICES: &str = r#"migrations: m
environments:
  production:
    database: "${DATABASE_URL_PROD}"
    neon: { project: "${NEON_PROJECT_ID}", branch: br-wide-sea-1, api_key: "${NEON_API_KEY}", api_url: "http://127.0.0.1:9/api/v2/" }
    approvals: { required: 2, environment: live, also: [live-second], reviews: count }
sync:
  from: prod
  to: { convex: "${CONVEX_URL}", deploy_key: "${CONVEX_DEPLOY_KEY}" }
"#;

#[test]
fn neon_approvals_and_convex_are_read() {
    let config = read(SERVICES).expect("it is right");
    let production = config.environment("production").expect("it is there");
    let neon = config.neon(production).expect("it is whole").expect("it is there");
    assert_eq!((neon.project.as_str(), &neon.branch), ("calm-river-1", &NeonBranch::Id("br-wide-sea-1".to_owned())));
    assert_eq!((neon.api_key.expose(), neon.api_url.as_str()), ("a-neon-key", "http://127.0.0.1:9/api/v2"));
    let expected = Approvals {
        required: 2,
        environment: "live".to_owned(),
        also: vec!["live-second".to_owned()],
        reviews: Reviews::Count,
    };
    assert_eq!(production.approvals.as_ref(), Some(&expected));
    let convex = |text: &str| match read(text).expect("it is right").sync().expect("it is whole").expect("it is there")
    {
        Sync { to: MirrorTarget::Convex(convex), .. } => convex.clone(),
        other => panic!("{other:?}"),
    };
    let deployed = convex(SERVICES);
    assert_eq!(
        (deployed.url.as_str(), deployed.functions.as_str()),
        ("https://calm-otter-1.convex.cloud", "liftlock/sync")
    );
    assert!(matches!(&deployed.auth, ConvexAuth::DeployKey(key) if key.expose() == "prod:calm-otter-1|opensesame"));
    let shared = convex(&SERVICES.replace("deploy_key: \"${CONVEX_DEPLOY_KEY}\"", "sync_auth_key: \"${SHARED_KEY}\""));
    assert!(matches!(&shared.auth, ConvexAuth::SyncAuthKey(_)));
    let least = "migrations: m\nenvironments:\n  live:\n    database: \"${DATABASE_URL_PROD}\"\n    neon: { project: \"${NEON_PROJECT_ID}\", api_key: \"${NEON_API_KEY}\" }\n    approvals: {}\n";
    let config = read(least).expect("it is right");
    let live = config.environment("live").expect("it is there");
    let neon = config.neon(live).expect("it is whole").expect("it is there");
    assert_eq!((&neon.branch, neon.api_url.as_str()), (&NeonBranch::Default, "https://console.neon.tech/api/v2"));
    let one = Approvals { required: 1, environment: "live".to_owned(), also: Vec::new(), reviews: Reviews::Ignore };
    assert_eq!(live.approvals.as_ref(), Some(&one));
}

#[test]
fn keys_of_services_are_demanded_only_by_what_uses_them() {
    let without = |name: &str| if name.starts_with("DATABASE") { env(name) } else { None };
    let config = parse(Utf8Path::new("liftlock.yml"), SERVICES, &without).expect("nothing is demanded yet");
    let production = config.environment("prod").expect("its URL is all that reading it takes");
    assert!(config.neon(production).is_err() && config.sync().is_err());
    assert_eq!(config.sync_from.as_deref(), Some("production"));
    let errors = config.promotion("prod").expect_err("four variables are missing");
    insta::assert_snapshot!("missing_keys_of_a_promotion", rendered(&errors));
}
