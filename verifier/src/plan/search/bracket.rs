//! What the probes so far say: by rate, which rates hold, and with how much doubt.

/// What the probes so far say.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bracket {
    /// The highest rate below `upper` at which most probes met the thresholds.
    pub lower: Option<f64>,
    /// The lowest rate at which no majority did.
    pub upper: Option<f64>,
}

/// Probes of one rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tally {
    /// Requests per second.
    pub rate: f64,
    /// Probes that met the thresholds.
    pub met: u32,
    /// Probes.
    pub probes: u32,
}

impl Tally {
    fn holds(&self) -> bool {
        2 * self.met > self.probes
    }

    /// The chance that as many coins of `probes` show the majority's side: P(X >= majority) for X of
    /// Bin(probes, 1/2). What the probes say of the rate is that much in doubt.
    pub fn risk(&self) -> f64 {
        let majority = if self.holds() {
            self.met
        } else {
            self.probes - self.met
        };
        let (mut term, mut sum) = (0.5_f64.powi(self.probes.cast_signed()), 0.0);
        for k in 0..=self.probes {
            if k >= majority {
                sum += term;
            }
            term *= f64::from(self.probes - k) / f64::from(k + 1);
        }
        sum.min(1.0)
    }
}

/// The probes by rate, rising.
pub fn tallies(probes: &[(f64, bool)]) -> Vec<Tally> {
    let mut tallies: Vec<Tally> = Vec::new();
    for &(rate, met) in probes {
        let at = tallies.partition_point(|tally| tally.rate < rate);
        if tallies.get(at).is_none_or(|tally| tally.rate != rate) {
            let none = Tally {
                rate,
                met: 0,
                probes: 0,
            };
            tallies.insert(at, none);
        }
        tallies[at].met += u32::from(met);
        tallies[at].probes += 1;
    }
    tallies
}

impl Bracket {
    /// From probes: their rates, and whether each met the thresholds.
    pub fn of(tallies: &[Tally]) -> Bracket {
        let upper = tallies.iter().position(|tally| !tally.holds());
        let below = &tallies[..upper.unwrap_or(tallies.len())];
        Bracket {
            lower: below.last().map(|tally| tally.rate),
            upper: upper.map(|at| tallies[at].rate),
        }
    }
}
