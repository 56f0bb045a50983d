// Command manifests prints, as one Kubernetes List in JSON, what CDI's operator would install and the lab needs besides
// the custom resource definitions: RBAC, the Deployments and Services of its API server and controller, the aggregated
// API service and the admission webhooks. The arguments are the container images: of the API server, the controller,
// the importer, the cloner and the upload server.
//
// The objects come from the operator's own generators, so they fit the binaries built beside them.
package main

import (
	"encoding/json"
	"log"
	"os"

	"kubevirt.io/containerized-data-importer/pkg/operator/resources/cluster"
	"kubevirt.io/containerized-data-importer/pkg/operator/resources/namespaced"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const namespace = "cdi"

func must(objects []client.Object, err error) []client.Object {
	if err != nil {
		log.Fatal(err)
	}
	return objects
}

func main() {
	if len(os.Args) != 6 {
		log.Fatal("give the images of the API server, controller, importer, cloner and upload server")
	}
	everywhere := &cluster.FactoryArgs{Namespace: namespace}
	inside := &namespaced.FactoryArgs{
		Namespace:           namespace,
		APIServerImage:      os.Args[1],
		ControllerImage:     os.Args[2],
		ImporterImage:       os.Args[3],
		ClonerImage:         os.Args[4],
		UploadServerImage:   os.Args[5],
		OvirtPopulatorImage: "ovirt-populator", // the controller requires a name
		Verbosity:           "1",
		PullPolicy:          "IfNotPresent",
		APIServerReplicas:   1,
		ControllerReplicas:  1,
	}
	var items []client.Object
	for _, group := range []string{"apiserver-rbac", "controller-rbac", "aggregate-roles"} {
		items = append(items, must(cluster.CreateStaticResourceGroup(group, everywhere))...)
	}
	for _, group := range []string{"apiserver", "controller"} {
		items = append(items, must(namespaced.CreateResourceGroup(group, inside))...)
	}
	items = append(items, must(cluster.CreateAllDynamicResources(everywhere))...)

	list := map[string]any{"apiVersion": "v1", "kind": "List", "items": items}
	if err := json.NewEncoder(os.Stdout).Encode(list); err != nil {
		log.Fatal(err)
	}
}
