//! A Neon that runs on this machine: the API on 127.0.0.1, with state, and real PostgreSQL behind every compute.
//!
//! ```ignore
//! let neon = FakeNeon::start();
//! // In liftlock.yml: database: neon.database_url(), neon: { project: neon.project, branch: neon.branch,
//! //                  api_key: neon.key(), api_url: neon.api_url }
//! neon.execute("create table poles (id int primary key)").await;
//! neon.fail(Fault::once(Call::CreateBranch, How::Lose(Done::Yes, Look::HangUp)));
//! neon.set(|it| it.operation_time = Duration::from_secs(2));
//! assert_eq!(neon.mutations("POST", "/branches").len(), 1);
//! ```
//!
//! What it does is what is known of Neon, marked by where it is known from; see [`faults`]. That something works
//! here proves nothing about the live service.

mod branches;
mod clusters;
mod endpoints;
pub mod faults;
mod operations;
mod projects;
mod restore;
mod routes;
mod shapes;
mod snapshots;
mod state;
mod wire;

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use axum::Router;
use camino::Utf8PathBuf;
use jiff::Timestamp;
use liftlock::{
    secret::Secret,
    services::postgres::{Address, Session},
};
use tokio::{net::TcpListener, runtime, sync::oneshot};

pub use self::state::{Branch, Request};
use self::{
    clusters::Clusters,
    faults::{Fault, Switches},
    state::{Clock, Data, Endpoint, Project, Role, State, new_id, new_secret, new_timeline},
    wire::Inner,
};
use crate::support;

/// The role and the database that the API makes with a project.
const ROLE: &str = "neondb_owner";
const DATABASE: &str = "neondb";
/// What a plan that costs something begins with. [D]
const HISTORY: Duration = Duration::from_secs(86_400);

/// What a project has from its beginning.
pub struct Setup {
    /// The first one owns the databases.
    pub roles: Vec<&'static str>,
    pub databases: Vec<&'static str>,
    pub key: String,
    pub password: String,
    /// Of the production branch.
    pub protected: bool,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            roles: vec![ROLE],
            databases: vec![DATABASE],
            key: format!("napi_{:016x}", rand::random::<u64>()),
            password: new_secret(),
            protected: false,
        }
    }
}

/// One project with a production branch and a compute. It all ends with this value, at the latest with the process.
pub struct FakeNeon {
    /// `http://127.0.0.1:PORT/api/v2`
    pub api_url: String,
    pub project: String,
    /// The production branch's id.
    pub branch: String,
    inner: Arc<Inner>,
    stop: Option<oneshot::Sender<()>>,
    server: Option<thread::JoinHandle<()>>,
}

impl FakeNeon {
    pub fn start() -> Self {
        Self::with(Setup::default())
    }

    pub fn with(setup: Setup) -> Self {
        let clusters = Clusters::new();
        let state = project(&clusters, &setup);
        let (project, branch) = (state.project.id.clone(), state.branches[0].id.clone());
        let endpoint = state.endpoints[0].id.clone();
        let inner = Arc::new(Inner { state: Mutex::new(state), clusters, key: setup.key });
        endpoints::run(&inner, &endpoint);
        let (port, stop, server) = serve(Arc::clone(&inner));
        let api_url = format!("http://127.0.0.1:{port}{}", wire::PREFIX);
        Self { api_url, project, branch, inner, stop: Some(stop), server: Some(server) }
    }

    pub fn key(&self) -> Secret {
        Secret::new(self.inner.key.clone())
    }

    /// The direct address of production.
    pub fn database_url(&self) -> Secret {
        self.url_of(&self.branch)
    }

    /// The direct address of a branch that has a compute.
    pub fn url_of(&self, branch: &str) -> Secret {
        let state = self.inner.state();
        let (branch, endpoint) = (state.branch(branch).unwrap(), state.writer(branch).expect("it has a compute"));
        Secret::new(endpoints::uri(&branch.roles[0], endpoint, &branch.databases[0]))
    }

    /// A session with production.
    pub async fn session(&self) -> Session {
        support::connect(&Address::parse(&self.database_url()).unwrap()).await
    }

    /// Runs SQL in production, in a session of its own.
    pub async fn execute(&self, sql: &str) {
        let session = self.session().await;
        session.batch_execute(sql).await.unwrap_or_else(|error| panic!("{error:?} in:\n{sql}"));
        session.close().await;
    }

    /// One text from production.
    pub async fn text(&self, sql: &str) -> String {
        let session = self.session().await;
        let text = session.query_one(sql, &[]).await.unwrap_or_else(|error| panic!("{error:?} in:\n{sql}")).get(0);
        session.close().await;
        text
    }

    /// From now on matching requests run into this fault.
    pub fn fail(&self, fault: Fault) {
        self.inner.state().faults.push(fault);
    }

    /// Changes what is not the same everywhere.
    pub fn set(&self, change: impl FnOnce(&mut Switches)) {
        change(&mut self.inner.state().switches);
    }

    /// Locked, with no operation to be seen, for so long by the fake's clock.
    pub fn lock(&self, duration: Duration) {
        let mut state = self.inner.state();
        state.locked_until = Some(state.now() + duration);
    }

    /// Moves the clock; what has expired goes.
    pub fn advance(&self, by: Duration) {
        let mut state = self.inner.state();
        state.settle();
        state.clock.advance(by);
        branches::expire(&mut state);
    }

    /// Everything that was asked for, in order.
    pub fn requests(&self) -> Vec<Request> {
        self.inner.state().requests.clone()
    }

    /// The requests by this method whose path ends so.
    pub fn mutations(&self, method: &str, end: &str) -> Vec<Request> {
        let mut all = self.requests();
        all.retain(|it| it.method == method && it.path.ends_with(end));
        all
    }

    pub fn forget_requests(&self) {
        self.inner.state().requests.clear();
    }

    /// The branches as they are now.
    pub fn branches(&self) -> Vec<Branch> {
        let mut state = self.inner.state();
        state.settle();
        state.branches.clone()
    }

    /// Changes a branch as somebody else could; without any request.
    pub fn change_branch(&self, id: &str, change: impl FnOnce(&mut Branch)) {
        change(self.inner.state().branch_mut(id).expect("it is there"));
    }

    /// A branch that somebody else has made. It has no data.
    pub fn add_branch(&self, name: &str, change: impl FnOnce(&mut Branch)) -> String {
        let mut state = self.inner.state();
        let now = state.now();
        let mut branch = Branch {
            id: new_id("br"),
            name: name.to_owned(),
            parent: Some(self.branch.clone()),
            parent_lsn: Some("0/1A2B3C4".to_owned()),
            created_at: now,
            default: false,
            protected: false,
            data: Data::Underway,
            ..state.branch(&self.branch).expect("production is there").clone()
        };
        change(&mut branch);
        let id = branch.id.clone();
        state.branches.push(branch);
        id
    }

    /// As it was when it began, but for what happened to production itself.
    pub fn reset(&self) {
        let mut state = self.inner.state();
        state.settle();
        (state.switches, state.locked_until) = (Switches::default(), None);
        state.faults.clear();
        state.operations.clear();
        state.requests.clear();
        let production = self.branch.clone();
        state.branches.retain(|it| it.id == production);
        state.endpoints.retain(|it| it.branch == production);
        state.project.history_retention = HISTORY;
        let branch = state.branch_mut(&production).expect("production is there");
        (branch.state, branch.parent, branch.restore_status) = ("ready", None, None);
        branch.protected = false;
        branch.restricted.clear();
    }

    /// As if it had never been.
    pub fn remove_branch(&self, id: &str) {
        self.inner.state().branches.retain(|it| it.id != id);
    }

    /// The compute of a branch that may write.
    pub fn endpoint_of(&self, branch: &str) -> String {
        self.inner.state().writer(branch).expect("it has a compute").id.clone()
    }

    /// Waits until production is up and nothing is under way on the project any more.
    pub async fn settled(&self) {
        while self.inner.state().is_locked() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// How many computes there are.
    pub fn computes(&self) -> usize {
        let mut state = self.inner.state();
        state.settle();
        state.endpoints.len()
    }

    /// How far back branches can be restored to.
    pub fn set_history(&self, retention: Duration) {
        self.inner.state().project.history_retention = retention;
    }

    /// Where all its data lies.
    pub fn folder(&self) -> Utf8PathBuf {
        self.inner.clusters.folder.clone()
    }

    /// What the PostgreSQL servers have logged.
    pub fn server_logs(&self) -> String {
        self.inner.clusters.logs()
    }
}

impl Drop for FakeNeon {
    fn drop(&mut self) {
        if thread::panicking() {
            for request in self.requests() {
                eprintln!(
                    "{} {} {} {:?} -> {:?}",
                    request.method, request.path, request.query, request.body, request.status
                );
            }
        }
        drop(self.stop.take());
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
    }
}

/// The server has a thread of its own: a test may block on the program that talks to it.
fn serve(inner: Arc<Inner>) -> (u16, oneshot::Sender<()>, thread::JoinHandle<()>) {
    let (stop, stopped) = oneshot::channel::<()>();
    let (bound, port) = std::sync::mpsc::channel();
    let server = thread::spawn(move || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            bound.send(listener.local_addr().unwrap().port()).unwrap();
            let routes = Router::new().fallback(wire::receive).with_state(inner);
            tokio::select! {
                served = axum::serve(listener, routes).into_future() => served.unwrap(),
                _ = stopped => {}
            }
        });
    });
    (port.recv().unwrap(), stop, server)
}

fn project(clusters: &Clusters, setup: &Setup) -> State {
    let now = Timestamp::now();
    let role = |name: &&str| Role { name: (*name).to_owned(), password: setup.password.clone() };
    let roles: Vec<Role> = setup.roles.iter().map(role).collect();
    // [D: what `neon_superuser` may]
    let mut statements = vec![
        "create role neon_superuser nologin createdb createrole bypassrls".to_owned(),
        "grant pg_read_all_data, pg_write_all_data to neon_superuser".to_owned(),
        "grant pg_monitor, pg_signal_backend to neon_superuser with admin option".to_owned(),
    ];
    for role in &roles {
        statements.push(format!(
            "create role \"{}\" login createdb createrole replication bypassrls in role neon_superuser",
            role.name
        ));
        statements.push(branches::password(role));
    }
    let databases: Vec<String> = setup.databases.iter().map(|it| (*it).to_owned()).collect();
    statements.extend(databases.iter().map(|it| format!("create database \"{it}\" owner \"{}\"", roles[0].name)));
    let branch = Branch {
        id: new_id("br"),
        name: "production".to_owned(),
        parent: None,
        parent_lsn: None,
        created_at: now,
        updated_at: now,
        expires_at: None,
        default: true,
        protected: setup.protected,
        state: "ready",
        annotation: BTreeMap::new(),
        data: Data::Own(clusters.fresh(&statements)),
        timeline: new_timeline(),
        last_reset_at: None,
        restored_from: None,
        restore_status: None,
        restricted: Vec::new(),
        deletable_root: false,
        roles,
        databases,
    };
    let endpoint = Endpoint {
        id: new_id("ep"),
        branch: branch.id.clone(),
        kind: "read_write".to_owned(),
        state: "active",
        name: None,
        created_at: now,
        port: 0,
    };
    State {
        project: Project {
            id: format!("calm-river-{:08}", rand::random::<u32>() % 100_000_000),
            name: "shop".to_owned(),
            created_at: now,
            history_retention: HISTORY,
        },
        branches: vec![branch],
        endpoints: vec![endpoint],
        operations: Vec::new(),
        snapshots: Vec::new(),
        points: Vec::new(),
        switches: Switches::default(),
        faults: Vec::new(),
        requests: Vec::new(),
        locked_until: None,
        clock: Clock::default(),
    }
}
