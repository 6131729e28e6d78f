//! Page views: 220 to 250 bytes of JSON each, the same ones every time.

use std::io::Write;

/// The number of users and of pages.
pub const USERS: u64 = 100_000;
/// The number of pages.
pub const PAGES: u64 = 1_000;
/// The number of cities that users live in.
pub const CITIES: u64 = 200;

/// The time of the first page view, in ms since 1970.
const START_MS: i64 = 1_700_000_000_000;

const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (X11; Linux x86_64)",
    "Mozilla/5.0 (Macintosh; Intel)",
    "Mozilla/5.0 (Windows NT 10.0)",
    "Mozilla/5.0 (iPhone; CPU 17_0)",
];

/// A page view and what its record is made of.
#[derive(Debug, Clone)]
pub struct PageView {
    /// The record's time.
    pub time_ms: i64,
    /// The record's key.
    pub user: String,
    /// The record's value.
    pub json: Vec<u8>,
}

/// SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators").
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// So many page views, one after the other: 10,000 a second of event time.
pub fn page_views(count: u64) -> impl Iterator<Item = PageView> {
    let mut random = Random(42);
    (0..count).map(move |number| {
        let time_ms = START_MS + (number / 10) as i64;
        let user = format!("user_{:06}", random.below(USERS));
        let (page, from) = (random.below(PAGES), random.below(PAGES));
        let ip = (random.below(256), random.below(256), random.below(256));
        let duration = random.below(600);
        let agent = AGENTS.get(random.below(4) as usize).copied().unwrap_or_default();
        let mut json = Vec::with_capacity(256);
        // Writing to a vector does not fail.
        let _ = write!(
            json,
            "{{\"viewtime\":{time_ms},\"userid\":\"{user}\",\"pageid\":\"page_{page:04}\",\
             \"url\":\"https://shop.example/catalogue/{page}\",\"client_ip\":\"10.{}.{}.{}\",\"duration\":{duration},\
             \"from_url\":\"https://shop.example/{from}\",\"agent\":\"{agent}\"}}",
            ip.0, ip.1, ip.2
        );
        PageView { time_ms, user, json }
    })
}

/// The city that a user lives in.
#[must_use]
pub fn city(user: u64) -> String {
    format!("city_{:03}", user % CITIES)
}
