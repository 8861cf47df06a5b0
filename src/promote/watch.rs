//! Runs one statement and keeps an eye on it: who is in its way, and whether somebody wants it stopped.

use std::{cell::RefCell, time::Duration};

use tokio::time;
use tokio_util::sync::CancellationToken;

use super::line::{Blocker, Line, blockers};
use crate::{
    report::progress::{Event, Observe},
    services::postgres::{PostgresError, Session},
};

/// After this long a statement is looked at for the first time, and then as often.
const FIRST_LOOK: Duration = Duration::from_millis(400);
const NEXT_LOOK: Duration = Duration::from_secs(1);

/// How long the server may take to hear that a statement is to be stopped.
const CANCEL_WITHIN: Duration = Duration::from_secs(5);

/// Watches the statements of one migration.
pub struct Watch<'a> {
    line: &'a Line,
    observe: &'a dyn Observe,
    /// What is under way, for messages.
    what: String,
    /// Opened for the first statement that takes long.
    observer: RefCell<Option<Session>>,
    /// Who was seen last.
    seen: RefCell<Vec<Blocker>>,
    /// Pids that a notice was given of.
    told: RefCell<Vec<i32>>,
}

impl<'a> Watch<'a> {
    pub fn new(line: &'a Line, observe: &'a dyn Observe, what: String) -> Self {
        Self { line, observe, what, observer: RefCell::new(None), seen: RefCell::default(), told: RefCell::default() }
    }

    /// Who was in the way last, without their statements.
    pub fn seen(&self) -> Vec<String> {
        self.seen.borrow().iter().map(|it| it.who.clone()).collect()
    }

    /// Runs a statement to its end; when `cancel` is cancelled the server is asked to stop it.
    pub async fn run(&self, session: &Session, sql: &str, cancel: &CancellationToken) -> Result<(), PostgresError> {
        self.seen.borrow_mut().clear();
        let work = session.batch_execute(sql);
        tokio::pin!(work);
        let mut asked = false;
        let mut look = FIRST_LOOK.min(self.line.patience.lock_timeout / 2);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done.map_err(|it| session.failure(it)),
                () = cancel.cancelled(), if !asked => {
                    asked = true;
                    // When it fails the statement goes on to its end, and we stop behind it.
                    let _ = time::timeout(CANCEL_WITHIN, session.canceller().cancel()).await;
                }
                () = time::sleep(look) => {
                    self.look(session.pid()).await;
                    look = NEXT_LOOK;
                }
            }
        }
    }

    /// Says who is in the way, when that has changed. A look that fails is no failure of the migration.
    async fn look(&self, pid: i32) {
        let observer = match self.observer.take() {
            Some(observer) => observer,
            None => match self.line.observer().await {
                Ok(observer) => observer,
                Err(_) => return,
            },
        };
        let Ok(seen) = blockers(&observer, pid).await else { return };
        *self.observer.borrow_mut() = Some(observer);
        if seen.is_empty() {
            return;
        }
        let pids: Vec<i32> = seen.iter().map(|it| it.pid).collect();
        if pids != *self.told.borrow() {
            let who = seen.iter().map(|it| it.who.clone()).collect::<Vec<_>>().join(", ");
            let statements = seen.iter().map(|it| it.query.clone()).collect::<Vec<_>>().join("; ");
            self.observe.event(Event::Blocked { message: format!("{} waits for {who}", self.what), statements });
        }
        *self.told.borrow_mut() = pids;
        *self.seen.borrow_mut() = seen;
    }

    /// Ends the second connection, and waits until the server knows.
    pub async fn close(self) {
        if let Some(observer) = self.observer.into_inner() {
            observer.close().await;
        }
    }
}
