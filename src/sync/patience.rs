//! Asking the mirror until it answers: after a while again, longer each time, never at the same moment as others.

use std::time::{Duration, Instant};

use tokio::time;
use tokio_util::sync::CancellationToken;

use super::{Carrier, SyncError};
use crate::{
    report::progress::{Event, Observe},
    services::mirror::{MirrorError, Remedy},
};

/// How long one call is repeated before the sync gives up.
pub const PATIENCE: Duration = Duration::from_mins(10);

/// How often, when repeating hardly helps.
const FEW: u32 = 4;

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Whose patience it is.
pub struct Asker<'a> {
    /// How long one call is repeated.
    pub patience: Duration,
    pub observe: &'a dyn Observe,
    pub cancel: &'a CancellationToken,
    /// What is asked, for people: `` `sow_poles`, batch 7 ``.
    pub what: String,
}

impl Carrier<'_> {
    pub fn asker(&self, what: String) -> Asker<'_> {
        Asker { patience: self.request.patience, observe: self.observe, cancel: &self.cancel, what }
    }
}

impl Asker<'_> {
    /// Calls until there is an answer or a failure that no repetition helps. A call repeated must be harmless: a
    /// read, or a batch with the same number and content. `retries` counts the repetitions.
    pub async fn ask<T>(
        &self,
        retries: &mut u64,
        mut call: impl AsyncFnMut() -> Result<T, MirrorError>,
    ) -> Result<T, SyncError> {
        let began = Instant::now();
        for attempt in 1.. {
            let reason = match call().await {
                Ok(answer) => return Ok(answer),
                Err(reason) => reason,
            };
            let pause = pause(attempt).mul_f64(0.5 + rand::random::<f64>());
            let is_hopeless = match reason.remedy() {
                Remedy::Again => began.elapsed() + pause > self.patience,
                Remedy::AgainBriefly => attempt >= FEW,
                Remedy::Smaller | Remedy::PerhapsSmaller | Remedy::Without(_) | Remedy::None => true,
            };
            if is_hopeless {
                return Err(reason.into());
            }
            *retries += 1;
            let message = format!("{}: {reason}; asking again in {:.1} s", self.what, pause.as_secs_f64());
            self.observe.event(Event::Notice { message });
            sleep(pause, self.cancel).await?;
        }
        unreachable!("the loop has no end of its own")
    }
}

/// Doubles from attempt to attempt.
fn pause(attempt: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << (attempt - 1).min(16)).min(LONGEST_PAUSE)
}

async fn sleep(pause: Duration, cancel: &CancellationToken) -> Result<(), SyncError> {
    tokio::select! {
        () = time::sleep(pause) => Ok(()),
        () = cancel.cancelled() => Err(SyncError::Cancelled),
    }
}

#[cfg(test)]
mod tests {
    use super::pause;

    #[test]
    fn pauses_grow_to_a_quarter_of_a_minute() {
        let check = |attempt: u32, millis: u128| assert_eq!(pause(attempt).as_millis(), millis);
        check(1, 200);
        check(2, 400);
        check(5, 3200);
        check(8, 15_000);
        check(4_000_000_000, 15_000);
    }
}
