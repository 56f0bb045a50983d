#!/bin/sh
# Writes a kubeconfig for the ServiceAccount of deploy/access-*.yaml, on the cluster of the current context. Only the
# file's owner can read it. The caller needs the right to create tokens for that ServiceAccount.
set -eu

if [ $# -lt 2 ]; then
  echo "usage: $0 NAMESPACE FILE [DURATION]" >&2
  echo "NAMESPACE: the ServiceAccount's, multi-tier or multi-tier-access. DURATION: such as 1h or 720h, default 24h." >&2
  exit 2
fi
namespace=$1 file=$2 duration=${3:-24h}
account=multi-tier-deployer

cluster() {
  kubectl config view --minify --flatten --raw --output "jsonpath={.clusters[0].cluster.$1}"
}

server=$(cluster server)
authority=$(cluster certificate-authority-data)
token=$(kubectl create token "$account" --namespace "$namespace" --duration "$duration")

umask 077
rm -f "$file"
cat >"$file" <<END
apiVersion: v1
kind: Config
clusters:
  - name: cluster
    cluster:
      server: $server
${authority:+      certificate-authority-data: $authority}
users:
  - name: $account
    user:
      token: $token
contexts:
  - name: $account
    context:
      cluster: cluster
      user: $account
      namespace: $namespace
current-context: $account
END
echo "$file: $account of namespace $namespace on $server, for $duration" >&2
