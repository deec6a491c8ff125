use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Where repeated figures lie.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Spread {
    /// How many there were.
    pub runs: usize,
    /// The smallest.
    pub min: f64,
    /// A tenth of them is smaller.
    pub p10: f64,
    /// Half of them is smaller.
    pub median: f64,
    /// A tenth of them is larger.
    pub p90: f64,
    /// A hundredth of them is larger.
    pub p99: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// `None` of no figures.
    pub fn of(mut figures: Vec<f64>) -> Option<Self> {
        figures.sort_by(f64::total_cmp);
        let last = figures.len().checked_sub(1)?;
        let at = |percent: usize| figures[(last * percent + 50) / 100];
        Some(Self {
            runs: figures.len(),
            min: at(0),
            p10: at(10),
            median: at(50),
            p90: at(90),
            p99: at(99),
            max: at(100),
        })
    }

    /// With three decimals.
    #[must_use]
    pub fn rounded(mut self) -> Self {
        for figure in [
            &mut self.min,
            &mut self.p10,
            &mut self.median,
            &mut self.p90,
            &mut self.p99,
            &mut self.max,
        ] {
            *figure = (*figure * 1000.0).round() / 1000.0;
        }
        self
    }

    /// As an object, three decimals each.
    pub fn to_json(self) -> Value {
        json!(self.rounded())
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn the_median_is_the_figure_in_the_middle() {
        let spread = Spread::of(vec![9.0, 1.0, 5.0]).unwrap();
        assert_eq!((spread.min, spread.median, spread.max, spread.runs), (1.0, 5.0, 9.0, 3));
        assert_eq!(Spread::of(vec![]), None);
    }
}
