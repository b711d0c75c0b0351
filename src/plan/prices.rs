//! What AWS asks for what a plan makes.
//!
//! Source: "AWS PrivateLink pricing" (aws.amazon.com/privatelink/pricing), for us-east-1 as third parties quote it in
//! 2025; looked at on 2026-11-23. Gateway endpoints are free. Prices of other regions are not in the table, because
//! nobody has checked them: there the price of us-east-1 stands in, and the plan says so.

/// Hours in a month, as AWS counts them.
const HOURS: f64 = 730.0;

/// The prices of interface endpoints that were checked.
const INTERFACE_ENDPOINTS: [(&str, Price); 1] =
    [("us-east-1", Price { hour_usd: 0.01, gigabyte_usd: 0.01, region: "us-east-1" })];

/// The price of an interface endpoint.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Price {
    /// For each zone and hour, in US dollars.
    pub hour_usd: f64,
    /// For each gigabyte that passes, in US dollars.
    pub gigabyte_usd: f64,
    /// The region that the price is of.
    pub region: &'static str,
}

/// The price of an interface endpoint in a region, or in us-east-1 where that one is not known.
pub fn interface_endpoint(region: &str) -> Price {
    let [(_, of_us_east_1)] = INTERFACE_ENDPOINTS;
    let known = INTERFACE_ENDPOINTS.iter().find(|(of, _)| *of == region);
    known.map_or(of_us_east_1, |(_, price)| *price)
}

impl Price {
    /// US dollars for 730 hours in some zones, without what passes.
    pub fn monthly(self, zones: usize) -> f64 {
        // No VPC has so many zones that a number of them would not be exact.
        let zones = f64::from(u32::try_from(zones).unwrap_or(u32::MAX));
        self.hour_usd * HOURS * zones
    }

    /// What comes on top of the monthly price, and whether that one is a guess.
    pub fn in_words(self, region: &str) -> String {
        let traffic = format!("AWS also asks {} USD for each GB", self.gigabyte_usd);
        if self.region == region {
            traffic
        } else {
            format!("{traffic}; these are prices of {}, {region} may cost more", self.region)
        }
    }
}

#[test]
fn unknown_regions_cost_what_us_east_1_costs_and_say_so() {
    let (here, there) = (interface_endpoint("us-east-1"), interface_endpoint("eu-west-1"));
    assert!((here.monthly(6) - 43.80).abs() < 1e-9, "two endpoints in three zones");
    assert_eq!(here, there);
    assert_eq!(here.in_words("us-east-1"), "AWS also asks 0.01 USD for each GB");
    assert!(there.in_words("eu-west-1").ends_with("these are prices of us-east-1, eu-west-1 may cost more"));
}
