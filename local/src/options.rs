use crate::Listener;
use std::time::Duration;

/// How a function is run here.
#[derive(Clone, Debug)]
pub struct Options {
    /// The port of the function's front door on 127.0.0.1; 0 takes any that is free.
    pub port: u16,
    /// How long one invocation may take. 30 seconds unless set.
    pub time_limit: Duration,
    /// What the function is told its region is. `us-east-1` unless set.
    pub region: String,
    /// Who hears what the function writes and how it fares.
    pub listener: Listener,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            time_limit: Duration::from_secs(30),
            region: "us-east-1".to_owned(),
            listener: Listener::default(),
        }
    }
}
