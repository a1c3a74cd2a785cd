import java.util.EnumSet;
import javax.servlet.DispatcherType;
import org.apache.solr.servlet.CoreContainerProvider;
import org.apache.solr.servlet.SolrDispatchFilter;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.servlet.DefaultServlet;
import org.eclipse.jetty.servlet.ServletContextHandler;

/** Solr below /solr on one port, as its archive has it, without the pages for its administrators. */
public final class SolrServer {
    private SolrServer() {}

    public static void main(String[] arguments) throws Exception {
        Server server = new Server(Integer.parseInt(System.getenv().getOrDefault("SOLR_PORT", "8983")));
        ServletContextHandler context = new ServletContextHandler(ServletContextHandler.SESSIONS);
        context.setContextPath("/solr");
        context.addEventListener(new CoreContainerProvider());
        context.addFilter(SolrDispatchFilter.class, "/*", EnumSet.of(DispatcherType.REQUEST));
        context.addServlet(DefaultServlet.class, "/");
        context.setResourceBase("/opt/solr/web");
        server.setHandler(context);
        server.setStopAtShutdown(true);
        server.setStopTimeout(20_000);
        server.start();
        server.join();
    }
}
