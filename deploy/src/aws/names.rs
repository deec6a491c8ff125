use crate::{Identity, Scope, scope::shorten};

/// The name of the alias that everything invokes.
pub(super) const ALIAS: &str = "live";

/// The names and ARNs of what belongs to one function: all of them follow from its scope and from who is asking.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) account: String,
    pub(super) region: String,
    pub(super) partition: &'static str,
    /// The function.
    pub(super) function: String,
    pub(super) role: String,
    /// The role by which EventBridge Scheduler invokes the function.
    pub(super) scheduler_role: String,
    pub(super) log_group: String,
}

/// A function's name has at most 64 characters, and so have a role's, a rule's and a schedule's.
const LONGEST: usize = 64;
/// What hangs on a trigger begins with the function's name, which leaves room for the trigger's.
const LONGEST_PREFIX: usize = 44;

impl Names {
    pub(super) fn new(scope: &Scope, identity: &Identity) -> Self {
        let function = function_name(scope);
        let partition = match identity.region.split('-').next() {
            Some("cn") => "aws-cn",
            _ if identity.region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        Self {
            account: identity.account.clone(),
            region: identity.region.clone(),
            partition,
            role: function.clone(),
            scheduler_role: scheduler_role_of(&function),
            log_group: format!("/aws/lambda/{function}"),
            function,
        }
    }

    /// `arn:aws:sqs:eu-west-1:123456789012:orders` of a service's resource, or what is an ARN already.
    pub(super) fn arn(&self, service: &str, resource: &str) -> String {
        if resource.starts_with("arn:") {
            return resource.to_owned();
        }
        let Self { partition, region, account, .. } = self;
        format!("arn:{partition}:{service}:{region}:{account}:{resource}")
    }

    pub(super) fn function_arn(&self) -> String {
        self.arn("lambda", &format!("function:{}", self.function))
    }

    pub(super) fn alias_arn(&self) -> String {
        format!("{}:{ALIAS}", self.function_arn())
    }

    pub(super) fn role_arn(&self, role: &str) -> String {
        format!("arn:{}:iam::{}:role/{role}", self.partition, self.account)
    }

    pub(super) fn bucket_arn(&self, bucket: &str) -> String {
        format!("arn:{}:s3:::{bucket}", self.partition)
    }

    /// The name of something that hangs on one trigger of the function, such as a schedule or a rule.
    pub(super) fn of_trigger(&self, trigger: &str) -> String {
        shorten(&format!("{}{}", self.trigger_prefix(), plain(trigger)), LONGEST)
    }

    /// The names of all that hang on the function's triggers begin so.
    pub(super) fn trigger_prefix(&self) -> String {
        format!("{}-", shorten(&self.function, LONGEST_PREFIX))
    }
}

/// The name of the role by which EventBridge Scheduler invokes a function of this name.
pub(super) fn scheduler_role_of(function: &str) -> String {
    shorten(&format!("{function}-scheduler"), LONGEST)
}

pub(super) fn function_name(scope: &Scope) -> String {
    scope.resource_name(LONGEST)
}

/// Letters, digits and hyphens: what every service of AWS takes in a name.
pub(super) fn plain(name: &str) -> String {
    let plain = |char: char| if char.is_ascii_alphanumeric() { char } else { '-' };
    name.chars().map(plain).collect()
}

/// The last part of an ARN: the name of a queue, topic or bucket.
pub(super) fn last(arn: &str) -> &str {
    arn.rsplit([':', '/']).next().unwrap_or(arn)
}

#[cfg(test)]
mod tests {
    use super::Names;
    use crate::{Identity, Scope};

    #[test]
    fn what_hangs_on_a_trigger_is_found_by_its_prefix_however_long_the_names_are() {
        let long = "a".repeat(40);
        for function in ["f", &long, &format!("a{}b", "-".repeat(30))] {
            let scope = Scope::new("shop", &long, function).unwrap();
            let names = Names::new(&scope, &Identity::new("123456789012", "eu-west-1"));
            assert!(names.function.len() <= 64 && names.scheduler_role.len() <= 64, "{names:?}");
            let triggers = ["nightly", "-".repeat(60).as_str(), "b".repeat(60).as_str()]
                .map(|trigger| names.of_trigger(trigger));
            for name in &triggers {
                assert!(name.len() <= 64 && name.starts_with(&names.trigger_prefix()), "{name}");
            }
            assert!(triggers[0] != triggers[1] && triggers[1] != triggers[2], "{triggers:?}");
        }
    }

    #[test]
    fn names_follow_from_the_scope_and_the_account() {
        let scope = Scope::new("shop", "prod", "orders").unwrap();
        let names = Names::new(&scope, &Identity::new("123456789012", "eu-west-1"));
        assert_eq!(
            names.alias_arn(),
            "arn:aws:lambda:eu-west-1:123456789012:function:shop-prod-orders:live"
        );
        assert_eq!(names.arn("sqs", "orders"), "arn:aws:sqs:eu-west-1:123456789012:orders");
        assert_eq!(names.arn("sqs", "arn:aws:sqs:x:y:z"), "arn:aws:sqs:x:y:z");
        assert_eq!(names.of_trigger("Every Night!"), "shop-prod-orders-Every-Night-");
        let china = Names::new(&scope, &Identity::new("1", "cn-north-1"));
        assert_eq!(china.role_arn("r"), "arn:aws-cn:iam::1:role/r");
    }
}
