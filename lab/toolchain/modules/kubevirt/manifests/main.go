// Command manifests prints, as one Kubernetes List in JSON, what KubeVirt's and CDI's operators
// would install and the lab needs: custom resource definitions, RBAC, admission webhooks,
// aggregated API services, and the common instance types and preferences. With -image, the DaemonSet of
// virt-handler from that image is one of them.
//
// The objects come from the operators' own generators, so they fit the binaries built beside them.
package main

import (
	"encoding/json"
	"flag"
	"log"
	"os"
	"slices"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	cdi "kubevirt.io/containerized-data-importer/pkg/operator/resources"
	"kubevirt.io/kubevirt/pkg/virt-operator/resource/generate/components"
	"kubevirt.io/kubevirt/pkg/virt-operator/resource/generate/rbac"
	"kubevirt.io/kubevirt/pkg/virt-operator/util"
	"sigs.k8s.io/yaml"
)

const namespace = "kubevirt"

type crdGenerator = func() (*apiextensions.CustomResourceDefinition, error)

var kubevirtCRDs = []crdGenerator{
	components.NewVirtualMachineInstanceCrd,
	components.NewVirtualMachineCrd,
	components.NewPresetCrd,
	components.NewReplicaSetCrd,
	components.NewVirtualMachineInstanceMigrationCrd,
	components.NewKubeVirtCrd,
	components.NewVirtualMachinePoolCrd,
	components.NewVirtualMachineSnapshotCrd,
	components.NewVirtualMachineSnapshotContentCrd,
	components.NewVirtualMachineRestoreCrd,
	components.NewVirtualMachineExportCrd,
	components.NewVirtualMachineBackupCrd,
	components.NewVirtualMachineBackupTrackerCrd,
	components.NewVirtualMachineInstancetypeCrd,
	components.NewVirtualMachineClusterInstancetypeCrd,
	components.NewVirtualMachinePreferenceCrd,
	components.NewVirtualMachineClusterPreferenceCrd,
	components.NewMigrationPolicyCrd,
	components.NewVirtualMachineCloneCrd,
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func appendAll[T any](items []any, more []T) []any {
	for _, item := range more {
		items = append(items, item)
	}
	return items
}

func customResourceDefinitions() []any {
	var items []any
	for _, generate := range kubevirtCRDs {
		items = append(items, must(generate()))
	}
	names := make([]string, 0, len(cdi.CDICRDs))
	for name := range cdi.CDICRDs {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		crd := &apiextensions.CustomResourceDefinition{}
		if err := yaml.Unmarshal([]byte(cdi.CDICRDs[name]), crd); err != nil {
			log.Fatalf("CDI's %s: %v", name, err)
		}
		items = append(items, crd)
	}
	return items
}

func handler(image string) any {
	images := util.ComponentImages{VirtHandlerImage: image, VirtLauncherImage: image}
	config := &util.KubeVirtDeploymentConfig{Namespace: namespace, ComponentImages: images}
	return components.NewHandlerDaemonSet(config, "", "", "")
}

func main() {
	image := flag.String("image", "", "container image of virt-handler and virt-launcher")
	flag.Parse()
	items := customResourceDefinitions()
	items = appendAll(items, rbac.GetAllCluster())
	items = appendAll(items, rbac.GetAllApiServer(namespace))
	items = appendAll(items, rbac.GetAllController(namespace, false))
	items = appendAll(items, rbac.GetAllHandler(namespace))
	items = append(items,
		components.NewVirtAPIMutatingWebhookConfiguration(namespace),
		components.NewVirtAPIValidatingWebhookConfiguration(namespace),
		components.NewApiServerService(namespace),
		components.NewKubeVirtPriorityClassCR(),
	)
	items = appendAll(items, components.NewVirtAPIAPIServices(namespace))
	items = appendAll(items, must(components.NewClusterInstancetypes()))
	items = appendAll(items, must(components.NewClusterPreferences()))
	if *image != "" {
		items = append(items, handler(*image))
	}

	list := map[string]any{"apiVersion": "v1", "kind": "List", "items": items}
	if err := json.NewEncoder(os.Stdout).Encode(list); err != nil {
		log.Fatal(err)
	}
}
