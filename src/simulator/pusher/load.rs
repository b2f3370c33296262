//! Many pushes at once: every one distinct, each user's in order, each answer judged.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::Gesture;
use super::Push;
use super::Pusher;
use super::Verdict;

/// What to send.
#[derive(Debug, Clone)]
pub struct LoadPlan {
    /// What every push says; `{number}` in a text, key or document becomes the number of the push, from 0.
    /// Events carry no MsgId: without `{number}`, those of one user within one second are repeats.
    pub gesture: Gesture,
    /// Pushes per second over all connections; as fast as answers come when missing.
    pub rate: Option<f64>,
    /// How many pushes.
    pub count: u64,
    /// Connections. One user's pushes always take the same one, so that more connections than users
    /// do not help.
    pub connections: u32,
    /// Different users that take turns.
    pub users: u32,
    /// The first MsgId; the others follow one by one.
    pub first_message_id: u64,
}

/// What came of a load.
#[derive(Debug, Clone)]
pub struct LoadReport {
    /// How many pushes got which answer in the end, in the order of [`Verdict::CLASSES`].
    pub answers: [u64; Verdict::CLASSES.len()],
    /// Deliveries made, repeats included.
    pub deliveries: u64,
    /// Microseconds from when a push was due to the end of its last answer. Without a rate, a push is
    /// due when its connection is free.
    pub latency_microseconds: Histogram<u64>,
    /// From the first push to the last answer.
    pub wall_time: Duration,
    /// What was wrong with the first push that failed.
    pub first_problem: Option<String>,
}

/// Latencies are told apart up to a minute; what takes longer counts as a minute.
const LONGEST_MICROSECONDS: u64 = 60_000_000;

impl LoadReport {
    fn new() -> Self {
        Self {
            answers: [0; Verdict::CLASSES.len()],
            deliveries: 0,
            latency_microseconds: Histogram::new_with_bounds(1, LONGEST_MICROSECONDS, 3)
                .expect("bounds and precision are the documented ones"),
            wall_time: Duration::ZERO,
            first_problem: None,
        }
    }

    /// Pushes with which WeChat would be content.
    pub fn good(&self) -> u64 {
        self.of(|class| matches!(class, "success" | "empty" | "reply"))
    }

    /// Pushes that failed in the end.
    pub fn failed(&self) -> u64 {
        self.total() - self.good()
    }

    /// Pushes sent.
    pub fn total(&self) -> u64 {
        self.answers.iter().sum()
    }

    /// Pushes that got an answer of this class in the end; see [`Verdict::CLASSES`].
    pub fn count_of(&self, class: &str) -> u64 {
        self.of(|name| name == class)
    }

    /// Pushes per second.
    pub fn rate(&self) -> f64 {
        self.total() as f64 / self.wall_time.as_secs_f64().max(f64::EPSILON)
    }

    fn of(&self, wanted: impl Fn(&str) -> bool) -> u64 {
        let classes = Verdict::CLASSES.iter().zip(self.answers);
        classes
            .filter(|(class, _)| wanted(class))
            .map(|(_, count)| count)
            .sum()
    }

    fn note(&mut self, verdict: &Verdict, deliveries: usize, latency: Duration) {
        let class = verdict.class();
        for (name, count) in Verdict::CLASSES.iter().zip(&mut self.answers) {
            *count += u64::from(*name == class);
        }
        self.deliveries += deliveries as u64;
        let microseconds = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.latency_microseconds.saturating_record(microseconds);
        if !verdict.is_good() && self.first_problem.is_none() {
            self.first_problem = Some(verdict.to_string());
        }
    }

    fn merge(&mut self, other: Self) {
        for (mine, others) in self.answers.iter_mut().zip(other.answers) {
            *mine += others;
        }
        self.deliveries += other.deliveries;
        self.latency_microseconds
            .add(&other.latency_microseconds)
            .expect("all histograms have the same bounds");
        self.first_problem = self.first_problem.take().or(other.first_problem);
    }
}

/// The OpenID of a made-up user: 28 characters, like a real one.
fn user_name(number: u64) -> String {
    format!("oLoad{number:023}")
}

impl Pusher {
    /// Carries out a plan and reports when every push was answered or given up.
    ///
    /// Runs in tasks of the current tokio runtime, one for each connection.
    ///
    /// # Panics
    /// When called outside a tokio runtime, or when a task of it panicked.
    pub async fn load(&mut self, plan: &LoadPlan) -> LoadReport {
        let started = self.clock.monotonic();
        let users = u64::from(plan.users.max(1));
        let lanes = u64::from(plan.connections.max(1)).min(users);
        let mut tasks = tokio::task::JoinSet::new();
        for lane in 0..lanes {
            let pusher = self.split();
            let plan = plan.clone();
            tasks.spawn(pusher.drive(plan, Lane { lane, lanes, users }, started));
        }
        let mut report = LoadReport::new();
        while let Some(part) = tasks.join_next().await {
            report.merge(part.expect("a load task does not panic"));
        }
        report.wall_time = self.clock.monotonic().saturating_sub(started);
        report
    }

    async fn drive(mut self, plan: LoadPlan, lane: Lane, started: Duration) -> LoadReport {
        let mut report = LoadReport::new();
        for number in lane.numbers(plan.count) {
            let due = match plan.rate.filter(|rate| *rate > 0.0) {
                Some(rate) => self.wait_until(started, number as f64 / rate).await,
                None => self.clock.monotonic(),
            };
            let push = self.numbered(&plan, number, lane.users);
            let pushed = self.push(&push).await;
            let latency = self.clock.monotonic().saturating_sub(due);
            report.note(pushed.verdict(), pushed.attempts.len(), latency);
        }
        report
    }

    async fn wait_until(&self, started: Duration, seconds: f64) -> Duration {
        let offset = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        let due = started.saturating_add(offset);
        let wait = due.saturating_sub(self.clock.monotonic());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        due
    }

    fn numbered(&self, plan: &LoadPlan, number: u64, users: u64) -> Push {
        let open_id = user_name(number % users);
        let message_id = plan.first_message_id.wrapping_add(number);
        let gesture = plan.gesture.numbered(number);
        let now = self.clock.now();
        Push::new(
            gesture,
            &open_id,
            &self.identity.original_id,
            now,
            message_id,
        )
    }
}

/// Which pushes go over one connection: those of the users who belong to it.
#[derive(Debug, Clone, Copy)]
struct Lane {
    lane: u64,
    lanes: u64,
    users: u64,
}

impl Lane {
    fn numbers(self, count: u64) -> impl Iterator<Item = u64> {
        let step = usize::try_from(self.lanes).unwrap_or(usize::MAX);
        let of_round = move |round: u64| {
            let users = (self.lane..self.users).step_by(step);
            users.map(move |user| round * self.users + user)
        };
        (0..count.div_ceil(self.users))
            .flat_map(of_round)
            .take_while(move |number| *number < count)
    }
}

impl Gesture {
    fn numbered(&self, number: u64) -> Self {
        let fill = |text: &str| text.replace("{number}", &number.to_string());
        match self {
            Self::Text(content) => Self::Text(fill(content)),
            Self::Click { key } => Self::Click { key: fill(key) },
            Self::Event { name, key } => Self::Event {
                name: name.clone(),
                key: fill(key),
            },
            Self::Document(document) => Self::Document(fill(document)),
            Self::Follow => Self::Follow,
            Self::Unfollow => Self::Unfollow,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_share_the_pushes_and_keep_each_user_on_one_of_them() {
        for (count, users, lanes) in [(0, 1, 1), (10, 3, 2), (17, 5, 5), (4, 9, 4)] {
            let of = |lane| Lane { lane, lanes, users }.numbers(count);
            let mut all: Vec<u64> = (0..lanes).flat_map(of).collect();
            all.sort_unstable();
            assert_eq!(
                all,
                (0..count).collect::<Vec<_>>(),
                "{count} {users} {lanes}"
            );
            for lane in 0..lanes {
                assert!(of(lane).is_sorted());
                assert!(of(lane).all(|number| number % users % lanes == lane));
            }
        }
    }
}
