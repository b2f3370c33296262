//! How fast messages go out: at most so many in a time, and no rush after a pause.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Messages a second, at most.
const FASTEST: f64 = 1000.0;

/// What was not used of the last second may be used at once.
const CARRIED: Duration = Duration::from_secs(1);

/// Reads `20/s`, `600/m`, `5000/h` as messages a second.
pub(super) fn rate(text: &str) -> Result<f64, String> {
    let wrong = || "write a number and a time: 20/s, 600/m, 5000/h".to_owned();
    let (count, unit) = text.split_once('/').ok_or_else(wrong)?;
    let seconds = match unit.trim() {
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(wrong()),
    };
    let count: u32 = count.trim().parse().map_err(|_| wrong())?;
    let rate = f64::from(count) / seconds;
    if count == 0 || rate > FASTEST {
        return Err(format!("choose between 1/h and {FASTEST}/s"));
    }
    Ok(rate)
}

/// Says when the next message may go.
#[derive(Debug)]
pub(super) struct Pace {
    period: Duration,
    next: Instant,
}

impl Pace {
    pub(super) fn new(rate: f64) -> Self {
        Self {
            period: Duration::from_secs_f64(1.0 / rate),
            next: Instant::now(),
        }
    }

    /// Takes the right to send one, if there is one now.
    pub(super) fn take(&mut self) -> bool {
        let now = Instant::now();
        if self.next > now {
            return false;
        }
        let earliest = now.checked_sub(CARRIED).unwrap_or(now);
        self.next = self.next.max(earliest) + self.period;
        true
    }

    /// Waits until there is one.
    pub(super) async fn wait(&self) {
        sleep_until(self.next).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_a_number_and_a_time() {
        for (text, expected) in [
            ("20/s", Some(20.0)),
            ("600/m", Some(10.0)),
            ("1/h", Some(1.0 / 3600.0)),
            ("0/s", None),
            ("1001/s", None),
            ("20", None),
            ("x/s", None),
            ("20/d", None),
        ] {
            assert_eq!(rate(text).ok(), expected, "{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_earns_one_second_of_messages_and_no_more() {
        let mut pace = Pace::new(20.0);
        let taken = |pace: &mut Pace| std::iter::from_fn(|| pace.take().then_some(())).count();
        assert_eq!(taken(&mut pace), 1);
        pace.wait().await;
        assert_eq!(taken(&mut pace), 1);
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!(taken(&mut pace), 10);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(taken(&mut pace), 21);
    }
}
