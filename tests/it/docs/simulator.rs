//! What `docs/simulator.md` sends is what the local WeChat takes.

use serde_json::Value;
use wxhook::simulator::platform::{Arrangement, FaultRule, Shelf, endpoints};

use super::document;

#[test]
fn what_the_page_of_the_simulator_sends_is_understood() {
    let page = document("docs/simulator.md");
    let (mut arrangements, mut faults) = (0, 0);
    for line in page.lines().filter(|line| line.starts_with('{')) {
        let value: Value = serde_json::from_str(line).unwrap();
        let understood = match value.get("arrange") {
            Some(arranged) => {
                arrangements += 1;
                serde_json::from_value::<Arrangement>(arranged.clone()).map(drop)
            }
            None => {
                faults += 1;
                serde_json::from_value::<FaultRule>(value).map(drop)
            }
        };
        understood.unwrap_or_else(|error| panic!("{line}: {error}"));
    }
    assert_eq!((arrangements, faults), (5, 4));
    let shelves = page
        .lines()
        .find(|line| line.contains("/simulator/state"))
        .unwrap();
    let shelves: Vec<_> = shelves.split('`').skip(3).step_by(2).collect();
    assert_eq!(shelves.len(), 12);
    for shelf in shelves {
        serde_json::from_value::<Shelf>(Value::from(shelf)).unwrap();
    }
    assert!(endpoints().count() > 80);
}
