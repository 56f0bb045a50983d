// Command network-policy-controller enforces the NetworkPolicies of one node's Pods by iptables. It is kube-router's
// controller without its router and its service proxy, which other programs do here, and takes kube-router's flags.
package main

import (
	"context"
	"log"
	"sync"
	"time"

	"github.com/cloudnativelabs/kube-router/v2/pkg/controllers/netpol"
	"github.com/cloudnativelabs/kube-router/v2/pkg/healthcheck"
	"github.com/cloudnativelabs/kube-router/v2/pkg/options"
	"github.com/spf13/pflag"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

// waitForNode returns when kubelet has registered the node, whose addresses the controller reads once.
func waitForNode(client kubernetes.Interface, name string) {
	for {
		_, err := client.CoreV1().Nodes().Get(context.Background(), name, meta.GetOptions{})
		if err == nil {
			return
		}
		log.Print(err)
		time.Sleep(time.Second)
	}
}

func main() {
	config := options.NewKubeRouterConfig()
	config.AddFlags(pflag.CommandLine)
	pflag.Parse()
	config.RunFirewall, config.RunRouter, config.RunServiceProxy = true, false, false

	client := must(kubernetes.NewForConfig(must(clientcmd.BuildConfigFromFlags(config.Master, config.Kubeconfig))))
	waitForNode(client, config.HostnameOverride)
	factory := informers.NewSharedInformerFactory(client, 0)
	pods := factory.Core().V1().Pods().Informer()
	namespaces := factory.Core().V1().Namespaces().Informer()
	policies := factory.Networking().V1().NetworkPolicies().Informer()
	forever := make(chan struct{})
	factory.Start(forever)
	factory.WaitForCacheSync(forever)

	rules, sets, err := netpol.NewIPTablesHandlers(config)
	if err != nil {
		log.Fatal(err)
	}
	controller := must(netpol.NewNetworkPolicyController(
		client, config, pods, policies, namespaces, new(sync.Mutex), rules, sets))
	for informer, handler := range map[cache.SharedIndexInformer]cache.ResourceEventHandler{
		pods:       controller.PodEventHandler,
		namespaces: controller.NamespaceEventHandler,
		policies:   controller.NetworkPolicyEventHandler,
	} {
		must(informer.AddEventHandler(handler))
	}

	var group sync.WaitGroup
	group.Add(3)
	heartbeats := make(chan *healthcheck.ControllerHeartbeat)
	health := must(healthcheck.NewHealthController(config))
	health.SetAlive()
	go health.RunServer(forever, &group)
	go health.RunCheck(heartbeats, forever, &group)
	controller.Run(heartbeats, forever, &group)
}
