//! Points at which a test ends the process, fails a step or holds it up.
//!
//! A point is a name and stands between two steps that a crash could separate. Without the feature `failpoints` a point
//! is nothing. With it, the environment variable `RVP_FAILPOINTS` says what happens where, once for the process:
//!
//! `name=kill`, `name=error` or `name=delay(milliseconds)`, each with `@n` for the nth time only; several with `;` between.
//!
//! [`hit`] stands where the step can fail. [`pass`] stands where what was done cannot be taken back and nothing is left
//! that could fail: `error` does nothing there.

use crate::error::Result;

#[cfg(feature = "failpoints")]
pub use active::{acted, hit, pass};

/// A point at which the step can fail.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn hit(_name: &'static str) -> Result<()> {
    Ok(())
}

/// A point at which nothing can fail.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub fn pass(_name: &'static str) {}

#[cfg(feature = "failpoints")]
mod active {
    use super::Result;
    use crate::error::{Error, Kind};
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Action {
        Kill,
        Error,
        Delay(Duration),
    }

    /// What the variable says of one name.
    #[derive(Debug)]
    struct Rule {
        name: String,
        action: Action,
        /// The time that counts, from 1; every time when there is none.
        only: Option<u64>,
        times: AtomicU64,
        acted: AtomicU64,
    }

    fn parse(text: &str) -> Option<Rule> {
        let (name, rest) = text.split_once('=')?;
        let (action, only) = match rest.split_once('@') {
            Some((action, only)) => (action, Some(only.parse().ok()?)),
            None => (rest, None),
        };
        let action = match action {
            "kill" => Action::Kill,
            "error" => Action::Error,
            other => {
                let time = other.strip_prefix("delay(")?.strip_suffix(')')?;
                Action::Delay(Duration::from_millis(time.parse().ok()?))
            }
        };
        Some(Rule { name: name.to_owned(), action, only, times: AtomicU64::new(0), acted: AtomicU64::new(0) })
    }

    fn rules() -> &'static std::result::Result<Vec<Rule>, String> {
        static RULES: OnceLock<std::result::Result<Vec<Rule>, String>> = OnceLock::new();
        RULES.get_or_init(|| {
            let text = std::env::var("RVP_FAILPOINTS").unwrap_or_default();
            let rules = text.split(';').filter(|rule| !rule.is_empty());
            rules.map(|rule| parse(rule).ok_or_else(|| format!("RVP_FAILPOINTS: '{rule}' means nothing"))).collect()
        })
    }

    /// What the variable asks for here, now.
    fn due(name: &str) -> Result<Option<Action>> {
        let rules = rules().as_ref().map_err(|what| Error::new(Kind::Unsupported, what.clone()))?;
        for rule in rules.iter().filter(|rule| rule.name == name) {
            let time = rule.times.fetch_add(1, Ordering::Relaxed) + 1;
            if rule.only.is_none_or(|only| only == time) {
                rule.acted.fetch_add(1, Ordering::Relaxed);
                return Ok(Some(rule.action));
            }
        }
        Ok(None)
    }

    /// A point at which the step can fail.
    pub fn hit(name: &'static str) -> Result<()> {
        match due(name)? {
            None => Ok(()),
            Some(Action::Kill) => std::process::abort(),
            Some(Action::Error) => Err(Error::new(Kind::Io, format!("failed at '{name}', as RVP_FAILPOINTS says"))),
            Some(Action::Delay(time)) => {
                std::thread::sleep(time);
                Ok(())
            }
        }
    }

    /// A point at which nothing can fail.
    pub fn pass(name: &'static str) {
        let _ = hit(name);
    }

    /// How often the variable's rules for this name came to act.
    pub fn acted(name: &str) -> u64 {
        let rules = rules().as_deref().unwrap_or_default();
        rules.iter().filter(|rule| rule.name == name).map(|rule| rule.acted.load(Ordering::Relaxed)).sum()
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_rule_is_a_name_an_action_and_perhaps_a_time() {
            let found = |text: &str| parse(text).map(|rule| (rule.name, rule.action, rule.only));
            assert_eq!(found("a.b=kill"), Some(("a.b".to_owned(), Action::Kill, None)));
            assert_eq!(found("a.b=error@3"), Some(("a.b".to_owned(), Action::Error, Some(3))));
            let delay = Action::Delay(Duration::from_millis(20));
            assert_eq!(found("a=delay(20)@1"), Some(("a".to_owned(), delay, Some(1))));
            for nonsense in ["", "a", "a=", "a=die", "a=kill@", "a=kill@x", "a=delay", "a=delay(x)", "a=delay(1"] {
                assert!(found(nonsense).is_none(), "{nonsense}");
            }
        }
    }
}
