// Where the definitions of kinds come from that the lab's cluster doesn't have. Nothing is built from it.
module multi-tier.test/kinds

go 1.26

require (
	github.com/openshift/api v0.0.0-20251015095338-264e80a2b6e7
	istio.io/api v1.32.0
	sigs.k8s.io/gateway-api v1.4.1
)
